/** What `dtm migrate --check` finds amiss in a schema, before it looks who writes. */
import { damagesIn, type Migration, type Schema } from "../migrate.js";
import { ADOPTED, adoptedTrouble } from "./adopted.js";

export interface Inspected {
  schema(): Promise<Schema>;
  /** Whether somebody holds the lock of migrations. */
  migrating(): Promise<boolean>;
  adoptedIds(): Promise<readonly number[]>;
}

/** One line each; none while another server migrates, whose work may be half done. */
export async function damagesFound(database: Inspected, known: readonly Migration[]): Promise<readonly string[]> {
  if (await database.migrating()) return [];
  const schema = await database.schema();
  const damages = damagesIn(schema, known);
  if (damages.length > 0) return (await database.migrating()) ? [] : damages;
  const adopted = schema.columns.has(ADOPTED) ? adoptedTrouble(await database.adoptedIds()) : null;
  return adopted === null ? [] : [adopted];
}
