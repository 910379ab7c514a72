/** Real time that is measured passes twenty times as fast, until `jest.restoreAllMocks()`: ten seconds in half a second. */
export function hurry(): void {
  const real = performance.now.bind(performance);
  const begun = real();
  jest.spyOn(performance, "now").mockImplementation(() => begun + (real() - begun) * 20);
}
