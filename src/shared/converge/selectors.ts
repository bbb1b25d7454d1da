/** Selectors of labels. */

/** Names in a selector: with more of them everything that carries the label costs less. */
const NAMES = 20;

/** Selects objects whose label is one of the names; `undefined` when there is none, or too many to be told. */
export function among(label: string, names: Iterable<string>): string | undefined {
  const sorted = [...new Set(names)].sort();
  return sorted.length === 0 || sorted.length > NAMES ? undefined : `${label} in (${sorted.join(',')})`;
}
