import { exampleTells } from "../../kit/test/start-example.js";

exampleTells({
  name: "fastify-sqlite",
  databases: [],
  prints: [
    "A saga over two services: Fastify and SQLite",
    "  Ann 100, Ben 50",
    "Ann sends 30 to Ben: succeed",
    "  Ann 70, Ben 80",
    "Ann sends 30 to nobody: failed",
    "  Ann 70, Ben 80",
  ],
});
