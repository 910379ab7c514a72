import { defineConfig } from "prisma/config";

/** Only for `prisma generate`: migrations are ours, and the client gets its connection from the store. */
export default defineConfig({ schema: "prisma/sqlite.prisma" });
