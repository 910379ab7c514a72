import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const IN_MEMORY = "/dev/shm";

/**
 * A folder of the test's own, removed after the test file. `inMemory`: where the system has such a place, for what must be quick and
 * outlives nothing anyway.
 */
export function temporaryFolder({ inMemory = false } = {}): string {
  const folder = mkdtempSync(join(inMemory && existsSync(IN_MEMORY) ? IN_MEMORY : tmpdir(), "dtm-e2e-"));
  folders.push(folder);
  return folder;
}
