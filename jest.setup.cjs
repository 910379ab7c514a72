// CI machines differ by a factor of thirty in speed; a hang is still found.
jest.setTimeout(180_000);

// A starved machine makes real deadlines (a 3 s request timeout) pass by themselves; what fails twice more is a failure. Every
// first failure is printed.
if (process.env.CI) jest.retryTimes(2, { logErrorsBeforeRetry: true });
