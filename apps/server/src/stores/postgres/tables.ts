/** Every statement names its schema: a search path would be lost behind a pooler that hands each transaction another connection. */
export interface Tables {
  readonly global: string;
  readonly branch: string;
  readonly key: string;
  readonly node: string;
  readonly lane: string;
  readonly adopted: string;
  readonly migration: string;
  readonly schema: string;
  /** The schema's name as it is, the others are quoted. */
  readonly name: string;
}

export function tablesIn(schema: string): Tables {
  const quoted = quoteName(schema);
  return {
    name: schema,
    schema: quoted,
    global: `${quoted}.trans_global`,
    branch: `${quoted}.trans_branch_op`,
    key: `${quoted}.kv`,
    node: `${quoted}.dtm_node`,
    lane: `${quoted}.dtm_lane`,
    adopted: `${quoted}.dtm_adopted`,
    migration: `${quoted}.dtm_migration`,
  };
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
