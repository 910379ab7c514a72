/** What is published, and who gets it: declared once for both sides. */
import { branch, topic } from "@dtm/client";

export interface OrderPaid {
  readonly order: string;
  readonly amount: number;
}

export const ORDER_PAID = "order-paid";
export const orderPaid = topic<OrderPaid>(ORDER_PAID);

export const warehouseAt = (url: string) => branch<OrderPaid>(`${url}/order-paid`);
export const accountingAt = (url: string) => branch<OrderPaid>(`${url}/order-paid`);
/** The coordinator's question whether the shop's local transaction was committed. */
export const queryPreparedAt = (url: string) => branch<undefined>(`${url}/query-prepared`);
