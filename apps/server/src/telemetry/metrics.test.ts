import { DEFAULT_ENGINE_SETTINGS } from "../engine/settings.js";
import type { Summary } from "../stores/store.js";
import { createMetrics, type Metrics } from "./metrics.js";
import { MOST_SERIES } from "./series.js";

function metrics(): Metrics {
  return createMetrics({ version: "1.2.3", grpcVersion: "4.5.6", processMetrics: false });
}

/** The samples of one metric, as written on the page. */
async function samples(from: Metrics, name: string): Promise<string[]> {
  return (await from.page()).split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

describe("dtm's six names (protocol.md 7.5)", () => {
  test("dtm_server_info keeps its labels", async () => {
    expect(await samples(metrics(), "dtm_server_info")).toEqual([
      'dtm_server_info{gin_version="none",grpc_version="4.5.6",version="1.2.3"} 1',
    ]);
  });

  test("requests are counted by outcome and timed", async () => {
    const m = metrics();
    m.served("http", "submit", false, 0.003);
    m.served("http", "submit", false, 0.3);
    m.served("grpc", "submit", true, 20);
    expect(await samples(m, "dtm_server_process_total")).toEqual([
      'dtm_server_process_total{type="http",api="submit",status="ok"} 2',
      'dtm_server_process_total{type="grpc",api="submit",status="fail"} 1',
    ]);
    const buckets = await samples(m, "dtm_server_response_duration_bucket");
    expect(buckets).toContain('dtm_server_response_duration_bucket{le="0.005",type="http",api="submit"} 1');
    expect(buckets).toContain('dtm_server_response_duration_bucket{le="0.25",type="http",api="submit"} 1');
    expect(buckets).toContain('dtm_server_response_duration_bucket{le="10",type="http",api="submit"} 2');
    expect(buckets).toContain('dtm_server_response_duration_bucket{le="10",type="grpc",api="submit"} 0');
    expect(buckets).toContain('dtm_server_response_duration_bucket{le="+Inf",type="grpc",api="submit"} 1');
    expect(await samples(m, "dtm_server_response_duration_sum")).toContain(
      'dtm_server_response_duration_sum{type="http",api="submit"} 0.303',
    );
    expect(await samples(m, "dtm_server_response_duration_count")).toContain(
      'dtm_server_response_duration_count{type="http",api="submit"} 2',
    );
  });

  test("drives are counted, and timed from creation", async () => {
    const m = metrics();
    m.drove("saga", false, 0.5);
    expect(await samples(m, "dtm_transaction_process_total")).toEqual([
      'dtm_transaction_process_total{model="saga",status="ok"} 1',
    ]);
    expect(await samples(m, "dtm_transaction_handled_duration_sum")).toEqual([
      'dtm_transaction_handled_duration_sum{model="saga"} 0.5',
    ]);
  });

  test("a page asked twice says the same", async () => {
    const m = metrics();
    m.called("saga", "01", "action", false);
    expect(await m.page()).toBe(await m.page());
  });

  test("histograms announce themselves as such", async () => {
    expect(await metrics().page()).toContain("# TYPE dtm_server_response_duration histogram");
  });
});

describe("labels that callers choose are bounded (Q15)", () => {
  test.each([
    ["01", "01"],
    ["99", "99"],
    ["01-02", "01-*"],
    ["01-02-03-04", "01-*"],
    ["100", "other"],
    ["order-7", "other"],
    ["0", "other"],
    ["", "other"],
    ["0x", "other"],
  ])("branch %j is labelled %j", async (branchId, label) => {
    const m = metrics();
    m.called("tcc", branchId, "confirm", false);
    expect(await samples(m, "dtm_branch_process_total")).toEqual([
      `dtm_branch_process_total{model="tcc",branchid="${label}",branchtype="confirm",status="ok"} 1`,
    ]);
  });

  test("ops without end share a series, and none is lost", async () => {
    const m = metrics();
    for (let op = 0; op < MOST_SERIES + 50; op++) m.called("workflow", "01", `op-${op}`, false);
    const found = await samples(m, "dtm_branch_process_total");
    expect(found).toHaveLength(MOST_SERIES + 1);
    expect(found).toContain('dtm_branch_process_total{model="other",branchid="other",branchtype="other",status="other"} 50');
  });

  test("apis without end share a label", async () => {
    const m = metrics();
    for (let api = 0; api < 1_000; api++) m.served("http", `api-${api}`, false, 0);
    expect(await samples(m, "dtm_server_process_total")).toHaveLength(65);
  });

  test("of many destinations the open ones and the busiest are named, the rest summed", async () => {
    const m = metrics();
    const destinations = Array.from({ length: 60 }, (_, n) => ({ destination: `http://h/${n}`, open: n === 0, inFlight: n }));
    m.watch({ ...standing(), destinations: () => destinations });
    const inFlight = await samples(m, "dtm_destination_in_flight");
    expect(inFlight).toHaveLength(51);
    expect(inFlight).toContain('dtm_destination_in_flight{destination="http://h/59"} 59');
    // 1 to 10; the open one has a place of its own.
    expect(inFlight).toContain('dtm_destination_in_flight{destination="other"} 55');
    expect(await samples(m, "dtm_destination_open")).toContain('dtm_destination_open{destination="http://h/0"} 1');
  });

  test("a destination is open or not at this scrape, not at the last one", async () => {
    const m = metrics();
    m.watch({ ...standing(), destinations: () => [{ destination: "http://h/0", open: true, inFlight: 0 }] });
    expect(await samples(m, "dtm_destination_open")).toEqual(['dtm_destination_open{destination="http://h/0"} 1']);
  });
});

describe("what stands in the store", () => {
  test("is asked at the scrape, and not again at once", async () => {
    const m = metrics();
    const parts = standing({ unfinished: 7, oldest: 40_000, stuck: 2 });
    m.watch(parts);
    expect(await samples(m, "dtm_unfinished_transactions")).toEqual(["dtm_unfinished_transactions 7"]);
    expect(await samples(m, "dtm_oldest_unfinished_age_seconds")).toEqual(["dtm_oldest_unfinished_age_seconds 60"]);
    expect(await samples(m, "dtm_stuck_transactions")).toEqual(["dtm_stuck_transactions 2"]);
    expect(await samples(m, "dtm_driving_transactions")).toEqual(["dtm_driving_transactions 3"]);
    const stuckAttempts = { saga: 10, tcc: 10, xa: 10, msg: 5, workflow: 10 };
    expect(parts.asked).toEqual([{ stuckAttempts, stuckRefusals: 3, overdueBefore: 100_000 - 600_000 }]);
  });

  test.each([
    ["after a while", 5_000],
    ["when the clock was set back", -3_600_000],
  ])("is asked again %s", async (_, later) => {
    const m = metrics();
    const parts = standing();
    m.watch(parts);
    await m.page();
    parts.time += later;
    await m.page();
    expect(parts.asked).toHaveLength(2);
  });

  test("is left out when the store can't say", async () => {
    const m = metrics();
    m.watch({ ...standing(), store: { summary: async () => Promise.reject(new Error("down")) } });
    expect(await samples(m, "dtm_stuck_transactions")).toEqual([]);
    expect(await samples(m, "dtm_driving_transactions")).toEqual(["dtm_driving_transactions 3"]);
  });
});

test("group commits, claims and alerts have their units in their names", async () => {
  const m = metrics();
  m.flushed(64, 0.002);
  m.claimLag(1_500);
  m.alerted("sent");
  const page = await m.page();
  expect(page).toContain('dtm_store_flush_operations_bucket{le="64"} 1');
  expect(page).toContain('dtm_store_flush_operations_bucket{le="32"} 0');
  expect(page).toContain("dtm_store_flush_seconds_sum 0.002");
  expect(page).toContain("dtm_claim_lag_seconds_sum 1.5");
  expect(page).toContain('dtm_alerts_total{result="sent"} 1');
});

test("the process's own are there unless left out", async () => {
  const page = await createMetrics({ version: "1", grpcVersion: "1" }).page();
  expect(page).toContain("process_cpu_seconds_total");
  expect(page).toContain("nodejs_heap_size_used_bytes");
});

function standing(summary: Summary = { unfinished: 0, oldest: null, stuck: 0 }) {
  const asked: object[] = [];
  const { types } = DEFAULT_ENGINE_SETTINGS;
  const parts = {
    time: 100_000,
    asked,
    now: () => parts.time,
    store: {
      async summary(ask: object): Promise<Summary> {
        asked.push(ask);
        return summary;
      },
    },
    driving: () => 3,
    destinations: () => [] as { destination: string; open: boolean; inFlight: number }[],
    settings: { ...DEFAULT_ENGINE_SETTINGS, types: { ...types, msg: { ...types.msg, stuckAfterAttempts: 5 } } },
  };
  return parts;
}
