import { exampleTells } from "../../kit/test/start-example.js";

exampleTells({
  name: "xa-transfer",
  databases: ["DTM_TEST_MYSQL", "DTM_TEST_POSTGRES"],
  prints: [
    "XA between MySQL and PostgreSQL",
    "  Ann on MySQL 100, Ben on PostgreSQL 50",
    "Ann sends 30 to Ben: succeed",
    "  Ann on MySQL 70, Ben on PostgreSQL 80",
    "Ann sends 30 to nobody: failed",
    "  Ann on MySQL 70, Ben on PostgreSQL 80",
  ],
});
