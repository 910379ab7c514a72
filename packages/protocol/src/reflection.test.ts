import { dtmgimp, reflectionPackage, workflow } from "./index.js";

test("the descriptors name every file and service", () => {
  const text = reflectionPackage()
    .files.fileDescriptorProtos.map((file) => file.toString("latin1"))
    .join("\n");
  for (const name of ["dtmgimp.proto", "workflow.proto", "google/protobuf/empty.proto", "PrepareWorkflow", "Execute"])
    expect(text).toContain(name);
});

test("every method has its full name", () => {
  expect(Object.values(dtmgimp.DtmService).map((method) => method.path)).toEqual(
    ["NewGid", "Submit", "Prepare", "Abort", "RegisterBranch", "PrepareWorkflow", "Subscribe", "Unsubscribe", "DeleteTopic"].map(
      (name) => `/dtmgimp.Dtm/${name}`,
    ),
  );
  expect(workflow.WorkflowService.execute.path).toBe("/workflow.Workflow/Execute");
});

test("field 4 of the options, which old clients send, is passed over", () => {
  const passthroughHeaders = Buffer.from([0x22, 1, 0x61]);
  const options = dtmgimp.DtmTransOptions.fromPartial({ WaitResult: true, TimeoutToFail: 7, BranchHeaders: { a: "b" } });
  const bytes = Buffer.concat([passthroughHeaders, dtmgimp.DtmTransOptions.encode(options).finish()]);
  expect(dtmgimp.DtmTransOptions.decode(bytes)).toEqual(options);
});
