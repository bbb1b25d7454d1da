/** Damerau-Levenshtein distance (adjacent transpositions count as one edit). */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    const above = rows[i - 1] as number[];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((above[j] as number) + 1, (row[j - 1] as number) + 1, (above[j - 1] as number) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (rows[i - 2]?.[j - 2] as number) + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] as number;
}

/** Longer names are no slips of the keyboard; comparing them takes time with the square of their length. */
const LONGEST = 200;

/** Up to three of the known names that are close enough to be what was meant, nearest first. */
export function nearNames(name: string, known: Iterable<string>): readonly string[] {
  if (name.length > LONGEST) return [];
  const limit = Math.max(2, Math.floor(name.length / 3));
  const lower = name.toLowerCase();
  return [...new Set(known)]
    .map((candidate) => ({ candidate, distance: distanceWithin(lower, candidate.toLowerCase(), limit) }))
    .filter(({ distance }) => distance <= limit)
    .sort((x, y) => x.distance - y.distance || (x.candidate < y.candidate ? -1 : 1))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

/** Distance of two names; a beginning of three letters is nearly the whole. The difference of the lengths is the least that it can be. */
function distanceWithin(name: string, candidate: string, limit: number): number {
  if (candidate.startsWith(name) && name.length >= 3) return 1;
  return Math.abs(candidate.length - name.length) > limit ? Infinity : editDistance(name, candidate);
}

/** `did you mean a or b? Known: a, b, c`: the hint for an unknown name. */
export function suggestName(name: string, known: Iterable<string>): string {
  const all = [...new Set(known)].sort();
  if (all.length === 0) return 'none is declared';
  const near = nearNames(name, all);
  const list = all.length > 20 ? `${all.slice(0, 20).join(', ')} and ${all.length - 20} more` : all.join(', ');
  return `${near.length === 0 ? '' : `did you mean ${near.map((n) => `'${n}'`).join(' or ')}? `}known: ${list}`;
}
