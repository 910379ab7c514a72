import { exampleTells } from "../../kit/test/start-example.js";

exampleTells({
  name: "nest-typeorm",
  databases: ["DTM_TEST_MYSQL"],
  prints: [
    "A saga over two services: NestJS, TypeORM, MySQL or MariaDB",
    "  in stock 10, Ann's money 100",
    "Ann orders 2 lamps at 30: succeed",
    "  in stock 8, Ann's money 40",
    "Ann orders 3 lamps at 30: failed",
    "  in stock 8, Ann's money 40",
  ],
});
