import type { Protocol } from "../engine/transaction.js";
import { destinationOf } from "./destination.js";
import { transportOf } from "./dispatch.js";
import { defaultDriver, dnsDriver, driverNamed } from "./driver.js";
import { TargetCache } from "./http-target.js";

test.each([
  ["http://h/x", "http", "http"],
  ["h:1/a.B/C", "http", "http"],
  ["dapr://h/x", "http", "http"],
  ["https://h/x", "grpc", "http"],
  ["h:1/a.B/C", "grpc", "grpc"],
  ["HTTP://h/x", "grpc", "grpc"],
  ["http://h/x?method=m", "json-rpc", "json-rpc"],
  ["http://h/x", "json-rpc", "http"],
  ["h/method", "json-rpc", "grpc"],
  ["http://h/x", "soap", "http"],
  ["https://h/x?method=m", "soap", "http"],
  ["h:1/a.B/C", "soap", "grpc"],
] as const)("%s with protocol %s goes over %s (protocol.md 3.1)", (url, protocol, transport) => {
  expect(transportOf({ url, protocol })).toBe(transport);
});

test.each<[string, Protocol, string]>([
  ["http://Host/pay?id=1#x", "http", "http://host/pay"],
  ["http://host:80/pay", "http", "http://host/pay"],
  ["HTTP://Host:80/Pay", "http", "http://host/Pay"],
  ["Https://host:443/pay", "http", "https://host/pay"],
  ["https://host:8443", "http", "https://host:8443/"],
  ["http://host/rpc?method=a", "json-rpc", "http://host/rpc"],
  ["host:1/a.B/C", "grpc", "host:1/a.B/C"],
  ["nowhere", "grpc", "nowhere"],
  ["ftp://host/x", "http", "ftp://host/x"],
])("the destination of %s (%s) is %s (R12)", (url, protocol, destination) => {
  const parts = { targets: new TargetCache((text) => text), driver: defaultDriver };
  expect(destinationOf({ url, protocol }, parts)).toBe(destination);
});

test.each([
  ["h:1/a.B/C", { target: "h:1", method: "/a.B/C" }],
  ["h:1", { error: "bad url: 'h:1'. no '/' found" }],
  ["dns:///h:1/a.B/C", { error: "call dtmdriver.Use() before you use custom scheme for 'dns:///h:1/a.B/C'" }],
])("the default driver splits %s", (url, address) => expect(defaultDriver.splitGrpc(url)).toEqual(address));

test.each([
  ["h:1/a.B/C", { target: "h:1", method: "/a.B/C" }],
  ["dns:///h:1/a.B/C", { target: "dns:///h:1", method: "/a.B/C" }],
  ["dns://8.8.8.8/h:1/a.B/C", { target: "dns://8.8.8.8/h:1", method: "/a.B/C" }],
  ["dns:///h:1", { error: "bad url: 'dns:///h:1'. no '/' found" }],
  ["dns://h", { error: "bad url: 'dns://h'. no '/' found" }],
])("the dns driver splits %s", (url, address) => expect(dnsDriver.splitGrpc(url)).toEqual(address));

test("drivers are found by name, and no name is the default", () => {
  expect([driverNamed(""), driverNamed("default"), driverNamed("dns"), driverNamed("dtm-driver-kratos")]).toEqual([
    defaultDriver,
    defaultDriver,
    dnsDriver,
    null,
  ]);
});

test("parsed URLs are kept, the oldest goes when there are too many", () => {
  const parsed: string[] = [];
  const cache = new TargetCache((url) => {
    parsed.push(url);
    return url;
  }, 2);
  for (const url of ["http://a", "http://b", "http://b", "http://c", "http://b", "http://a"]) cache.get(url);
  expect(parsed).toEqual(["http://a", "http://b", "http://c", "http://a"]);
});
