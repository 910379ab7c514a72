/** Go's flags take `-c=file` and `--c=file`, and dtm's Helm chart passes them so (protocol.md 7.8): the same in our spelling. */
export function goFlags(args: readonly string[]): string[] {
  return args.flatMap((arg) => {
    const [, flag, value] = /^--?([cdrvh])(?:=(.*))?$/s.exec(arg) ?? [];
    if (flag === undefined) return [arg];
    if (value === undefined) return [`-${flag}`];
    if (flag === "c") return ["-c", value];
    return isTrue(value) ? [`-${flag}`] : [];
  });
}

/** What Go's flag package takes for true. */
function isTrue(value: string): boolean {
  return ["1", "t", "T", "true", "TRUE", "True"].includes(value);
}
