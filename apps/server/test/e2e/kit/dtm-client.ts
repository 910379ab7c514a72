/** The wire as an SDK sees it (protocol.md 1), with nothing in between: an e2e test must not trust our own client. */

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Transaction {
  readonly gid: string;
  readonly trans_type: string;
  readonly status: string;
  readonly rollback_reason?: string;
}

export interface Branch {
  readonly branch_id: string;
  readonly op: string;
  readonly status: string;
}

export class DtmClient {
  readonly #api: string;

  /** `api` ends with /api/dtmsvr. */
  constructor(api: string) {
    this.#api = api;
  }

  async newGid(): Promise<string> {
    const { status, body } = await this.#get("newGid");
    if (status !== 200 || typeof body["gid"] !== "string") throw new Error(`newGid answered ${status} ${JSON.stringify(body)}`);
    return body["gid"];
  }

  prepare(transaction: object): Promise<Answer> {
    return this.post("prepare", transaction);
  }

  submit(transaction: object): Promise<Answer> {
    return this.post("submit", transaction);
  }

  abort(transaction: object): Promise<Answer> {
    return this.post("abort", transaction);
  }

  registerBranch(branch: Readonly<Record<string, string>>): Promise<Answer> {
    return this.post("registerBranch", branch);
  }

  async query(gid: string): Promise<{ readonly transaction: Transaction | null; readonly branches: readonly Branch[] }> {
    const { status, body } = await this.#get(`query?gid=${encodeURIComponent(gid)}`);
    if (status !== 200) throw new Error(`query answered ${status} ${JSON.stringify(body)}`);
    return body as { transaction: Transaction | null; branches: Branch[] };
  }

  /** Every transaction that the server knows, page by page. */
  async all(): Promise<readonly Transaction[]> {
    const found: Transaction[] = [];
    let position = "";
    do {
      const { status, body } = await this.#get(`all?limit=1000&position=${encodeURIComponent(position)}`);
      if (status !== 200) throw new Error(`all answered ${status} ${JSON.stringify(body)}`);
      const page = body as { transactions: Transaction[] | null; next_position: string };
      found.push(...(page.transactions ?? []));
      position = page.next_position;
    } while (position !== "");
    return found;
  }

  async post(operation: string, body: object): Promise<Answer> {
    const answer = await fetch(`${this.#api}/${operation}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  }

  async #get(path: string): Promise<Answer> {
    const answer = await fetch(`${this.#api}/${path}`);
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  }
}
