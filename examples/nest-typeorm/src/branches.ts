/** The branches of both services: declared once, for who calls them and for who serves them. */
import { branch } from "@dtm/client";

export interface Goods {
  readonly sku: string;
  readonly quantity: number;
}

export interface Payment {
  readonly owner: string;
  readonly amount: number;
}

export const branchesAt = (url: string) => ({
  stock: { take: branch<Goods>(`${url}/stock/take`), putBack: branch<Goods>(`${url}/stock/put-back`) },
  wallet: { pay: branch<Payment>(`${url}/wallet/pay`), payBack: branch<Payment>(`${url}/wallet/pay-back`) },
});
