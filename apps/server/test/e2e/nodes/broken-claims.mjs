// Breaks a coordinator on PostgreSQL on purpose (`node --import`): what it claims it takes from the living as well (R2). On the wire, since the
// server is a bundle, and with as many bytes, since a message begins with its length.
import { Socket } from "node:net";

const CONDITION = Buffer.from("n.dead_at > clock_timestamp() - interval '1 day' AND");
const NONE = Buffer.from("true AND".padEnd(CONDITION.length));

const { write } = Socket.prototype;
Socket.prototype.write = function (chunk, ...rest) {
  if (Buffer.isBuffer(chunk))
    for (let at = chunk.indexOf(CONDITION); at >= 0; at = chunk.indexOf(CONDITION)) NONE.copy(chunk, at);
  return write.call(this, chunk, ...rest);
};
