/** Bounds of a file; far above what configuration needs. */
export const LIMITS = { characters: 1_048_576, depth: 100, aliases: 20_000, mergedKeys: 100_000, expandedNodes: 1_000_000 } as const;
