/** Asks until it is so. Bounded far beyond what a busy machine takes: how long a thing takes is for the benches to say. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, seconds = 120): Promise<void> {
  const end = performance.now() + seconds * 1_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${String(seconds)} s`);
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}
