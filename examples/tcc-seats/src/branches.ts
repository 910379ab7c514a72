/** The branches of a theatre: declared once, for who calls them and for who serves them. */
import { branch } from "@dtm/client";

export interface Seats {
  readonly guest: string;
  readonly count: number;
}

export const theatreAt = (url: string) => ({
  reserve: branch<Seats>(`${url}/reserve`),
  confirm: branch<Seats>(`${url}/confirm`),
  cancel: branch<Seats>(`${url}/cancel`),
});
