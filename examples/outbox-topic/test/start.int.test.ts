import { exampleTells } from "../../kit/test/start-example.js";

exampleTells({
  name: "outbox-topic",
  databases: ["DTM_TEST_POSTGRES"],
  prints: [
    "A local transaction and its message, to two subscribers of a topic",
    "  paid 0, parcels 0, revenue 0",
    "order-1 is paid",
    "  succeed",
    "  paid 1, parcels 1, revenue 30",
    "order-1 is paid once more",
    "  order-1 is paid already",
    "  failed",
    "  paid 1, parcels 1, revenue 30",
    "order-2 is paid, and the shop fails between its commit and the submit",
    "  the shop failed",
    "  succeed",
    "  paid 2, parcels 2, revenue 80",
  ],
});
