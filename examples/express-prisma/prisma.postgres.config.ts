import { defineConfig } from "prisma/config";

/** Only for `prisma generate`. */
export default defineConfig({ schema: "prisma/postgres.prisma" });
