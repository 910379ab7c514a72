/** The branches that the workflow calls, declared once for both sides. */
import { branch } from "@dtm/client";

export interface Charge {
  readonly guest: string;
  readonly amount: number;
}

export interface Seat {
  readonly flight: string;
}

export const bankAt = (url: string) => ({
  charge: branch<Charge>(`${url}/charge`),
  refund: branch<Charge>(`${url}/refund`),
});

export const airlineAt = (url: string) => ({
  reserve: branch<Seat>(`${url}/reserve`),
  confirm: branch<Seat>(`${url}/confirm`),
  cancel: branch<Seat>(`${url}/cancel`),
});
