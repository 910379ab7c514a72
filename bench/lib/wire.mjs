/**
 * HTTP/1.1 over keep-alive sockets, written by hand: the load generator shares the cores with the server it measures,
 * and this costs about a third of a general client. It knows what coordinators answer, not all of HTTP.
 */
import { connect } from "node:net";

const CRLF2 = "\r\n\r\n";

class Connection {
  #socket;
  #waiting = null;
  #received = null;

  constructor(host, port, onGone) {
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on("data", (chunk) => this.#take(chunk));
    this.#socket.on("error", (cause) => this.#fail(cause));
    this.#socket.on("close", () => {
      this.#fail(new Error("the server closed the connection"));
      onGone(this);
    });
  }

  send(head, body) {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#received = null;
      this.#socket.write(head + body);
    });
  }

  destroy() {
    this.#socket.destroy();
  }

  #fail(cause) {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(cause);
  }

  #take(chunk) {
    const bytes = this.#received === null ? chunk : Buffer.concat([this.#received, chunk]);
    this.#received = bytes;
    const answer = parseAnswer(bytes);
    if (answer === null) return;
    const waiting = this.#waiting;
    this.#waiting = null;
    this.#received = null;
    if (answer.close) this.#socket.destroy();
    waiting?.resolve(answer);
  }
}

/** The whole answer, or null while more bytes are needed. */
export function parseAnswer(bytes) {
  const split = bytes.indexOf(CRLF2);
  if (split < 0) return null;
  const head = bytes.latin1Slice(0, split);
  const status = Number(head.slice(9, 12));
  const close = /\r\nconnection: *close/i.test(head);
  const start = split + CRLF2.length;
  const length = /\r\ncontent-length: *(\d+)/i.exec(head);
  if (length !== null) {
    const end = start + Number(length[1]);
    return bytes.length < end ? null : { status, close, body: bytes.utf8Slice(start, end) };
  }
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
    const body = joinChunks(bytes, start);
    return body === null ? null : { status, close, body };
  }
  return { status, close, body: "" };
}

function joinChunks(bytes, start) {
  const parts = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(bytes.latin1Slice(at, lineEnd), 16);
    const dataStart = lineEnd + 2;
    if (bytes.length < dataStart + size + 2) return null;
    if (size === 0) return Buffer.concat(parts).toString("utf8");
    parts.push(bytes.subarray(dataStart, dataStart + size));
    at = dataStart + size + 2;
  }
}

export class WireClient {
  #host;
  #port;
  #limit;
  #idle = [];
  #open = new Set();
  #queue = [];

  /** `connections`: the most sockets opened at once; further requests wait for a free one. */
  constructor({ host = "127.0.0.1", port, connections = 64 }) {
    this.#host = host;
    this.#port = port;
    this.#limit = connections;
  }

  get(path) {
    return this.#request(`GET ${path} HTTP/1.1\r\nHost: ${this.#host}:${this.#port}\r\n\r\n`, "");
  }

  post(path, body) {
    const head =
      `POST ${path} HTTP/1.1\r\nHost: ${this.#host}:${this.#port}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
    return this.#request(head, body);
  }

  close() {
    for (const connection of this.#open) connection.destroy();
  }

  async #request(head, body) {
    const connection = this.#idle.pop() ?? (await this.#connection());
    const answer = await connection.send(head, body);
    if (this.#open.has(connection) && !answer.close) this.#hand(connection);
    return answer;
  }

  #connection() {
    if (this.#open.size < this.#limit) return this.#connect();
    return new Promise((resolve) => this.#queue.push(resolve));
  }

  #connect() {
    const connection = new Connection(this.#host, this.#port, (gone) => this.#drop(gone));
    this.#open.add(connection);
    return connection;
  }

  #hand(connection) {
    const next = this.#queue.shift();
    if (next === undefined) this.#idle.push(connection);
    else next(connection);
  }

  #drop(connection) {
    this.#open.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    const next = this.#queue.shift();
    if (next !== undefined) next(this.#connect());
  }
}
