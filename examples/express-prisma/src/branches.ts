/** The branches of both services: declared once, for who calls them and for who serves them. Another payload doesn't compile. */
import { branch } from "@dtm/client";

export interface Goods {
  readonly sku: string;
  readonly quantity: number;
}

export interface Payment {
  readonly owner: string;
  readonly amount: number;
}

export const stockAt = (url: string) => ({
  take: branch<Goods>(`${url}/take`),
  putBack: branch<Goods>(`${url}/put-back`),
});

export const walletAt = (url: string) => ({
  pay: branch<Payment>(`${url}/pay`),
  payBack: branch<Payment>(`${url}/pay-back`),
});
