/**
 * As much of MongoDB as the barrier asks of it, for machines without a server: upserts inside one transaction at a time, which sees its own
 * writes, and takes them back when it is aborted. What only a server can show (conflicts of transactions at once) needs a server.
 */
type Document = Record<string, unknown>;

interface Update {
  readonly updateOne: {
    readonly filter: Document;
    readonly update: { readonly $setOnInsert: Document };
    readonly upsert: boolean;
  };
}

export class FakeMongo {
  readonly #collections = new Map<string, Document[]>();
  readonly #unique = new Set<string>();

  db(database: string) {
    return { collection: (name: string) => this.#collection(`${database}.${name}`) };
  }

  startSession(): FakeSession {
    return new FakeSession(this);
  }

  documents(full: string): Document[] {
    const documents = this.#collections.get(full) ?? [];
    this.#collections.set(full, documents);
    return documents;
  }

  /** What it holds now, to be put back by an abort. */
  snapshot(): () => void {
    const before = [...this.#collections].map(([name, documents]) => [name, documents.map((each) => ({ ...each }))] as const);
    return () => {
      this.#collections.clear();
      for (const [name, documents] of before) this.#collections.set(name, documents);
    };
  }

  #collection(full: string) {
    const upsert = (filter: Document, set: Document): { readonly found: Document; readonly isNew: boolean } => {
      const documents = this.documents(full);
      const found = documents.find((each) => Object.entries(filter).every(([key, value]) => each[key] === value));
      if (found !== undefined) return { found, isNew: false };
      const created = { ...filter, ...set };
      documents.push(created);
      return { found: created, isNew: true };
    };
    return {
      async bulkWrite(operations: readonly Update[]) {
        const ids = operations.map(
          ({ updateOne: { filter, update } }, i) => [i, upsert(filter, update.$setOnInsert).isNew] as const,
        );
        return { upsertedIds: Object.fromEntries(ids.filter(([, isNew]) => isNew)) };
      },
      findOneAndUpdate: async (filter: Document, update: { readonly $setOnInsert: Document }) =>
        upsert(filter, update.$setOnInsert).found,
      createIndex: async () => void this.#unique.add(full),
      indexes: async () => {
        const id = { key: { _id: 1 } };
        return this.#unique.has(full) ? [id, { key: { gid: 1, branch_id: 1, op: 1, barrier_id: 1 }, unique: true }] : [id];
      },
    };
  }
}

export class FakeSession {
  readonly client: FakeMongo;
  hasEnded = false;
  #open = false;

  constructor(client: FakeMongo) {
    this.client = client;
  }

  inTransaction(): boolean {
    return this.#open;
  }

  async withTransaction<T>(work: () => Promise<T>): Promise<T> {
    const putBack = this.client.snapshot();
    this.#open = true;
    try {
      return await work();
    } catch (cause) {
      putBack();
      throw cause;
    } finally {
      this.#open = false;
    }
  }

  async endSession(): Promise<void> {
    this.hasEnded = true;
  }
}
