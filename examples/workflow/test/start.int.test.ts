import { exampleTells } from "../../kit/test/start-example.js";

exampleTells({
  name: "workflow",
  databases: ["DTM_TEST_POSTGRES"],
  prints: [
    "A workflow of saga-like, local, XA and TCC-like steps",
    "Ann books a flight to ZRH",
    '  answer 200: {"result":"Ann flies to ZRH"}',
    "  succeed",
    "  Ann: money 400, points 100, bookings 1",
    "  Ben: money 500, points 0, bookings 0",
    "  ZRH: 4 free seats, 0 held",
    "Ann books a flight that is full",
    '  answer 409: {"refused":"<…>flight full has no free seat<…>"}',
    "  failed",
    "  Ann: money 400, points 100, bookings 1",
    "  Ben: money 500, points 0, bookings 0",
    "  ZRH: 4 free seats, 0 held",
    "Ben books a flight to ZRH, and the service is killed while the seat is being reserved",
    "  no answer",
    "  prepared, and the service is started again",
    "  succeed",
    "  Ann: money 400, points 100, bookings 1",
    "  Ben: money 300, points 200, bookings 1",
    "  ZRH: 3 free seats, 0 held",
  ],
  // The refusal names the call, and quotes its answer.
  blur: (line) => line.replace(/(?<="refused":").*(flight full has no free seat).*(?="})/, "<…>$1<…>"),
});
