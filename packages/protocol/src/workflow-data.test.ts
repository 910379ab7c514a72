import { encodeWorkflowData, workflow } from "./index.js";

test.each([0, 1, 127, 128, 16_383, 16_384, 70_000])("%s bytes are encoded as the generated type does it", (length) => {
  const Data = Buffer.alloc(length, 7);
  const bytes = encodeWorkflowData(Data);
  expect(bytes.equals(Buffer.from(workflow.WorkflowData.encode({ Data }).finish()))).toBe(true);
  expect(workflow.WorkflowData.decode(bytes).Data.equals(Data)).toBe(true);
});
