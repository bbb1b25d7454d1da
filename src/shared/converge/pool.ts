/** Runs `body` over the items, at most `width` at a time, in order of the list. The body must not throw what others should survive. */
export async function pooled<T>(items: readonly T[], width: number, body: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await body(item);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
}
