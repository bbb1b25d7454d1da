/**
 * Milliseconds of the processor that some work takes, with what the engine does beside it (collecting garbage, compiling). Unlike the
 * time on the wall it does not depend on what else runs on the machine.
 */
export function processorTime(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
