const TAG = 0x0a;

/**
 * `WorkflowData { bytes Data = 1 }`, the message a gRPC workflow is recalled with (protocol.md 2.3). proto3 leaves an empty
 * field out, so empty data is an empty message.
 */
export function encodeWorkflowData(data: Uint8Array): Buffer {
  if (data.length === 0) return Buffer.alloc(0);
  const head = [TAG];
  let left = data.length;
  for (; left > 0x7f; left = Math.floor(left / 128)) head.push((left & 0x7f) | 0x80);
  head.push(left);
  return Buffer.concat([Buffer.from(head), data]);
}
