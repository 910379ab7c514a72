import { exampleTells } from "../../kit/test/start-example.js";

exampleTells({
  name: "tcc-seats",
  databases: [],
  prints: [
    "TCC: seats in two theatres",
    "  opera: 10 free, 0 held, 0 sold",
    "  cabaret: 3 free, 0 held, 0 sold",
    "Ann wants 2 seats in both",
    "  held in both",
    "  succeed",
    "  opera: 8 free, 0 held, 2 sold",
    "  cabaret: 1 free, 0 held, 2 sold",
    "Ben wants 2 seats in both",
    "  refused",
    "  failed",
    "  opera: 8 free, 0 held, 2 sold",
    "  cabaret: 1 free, 0 held, 2 sold",
  ],
});
