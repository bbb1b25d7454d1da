/** The leaf that every room may import: names, references, tags, timestamps, errors, values. */
export * from './canonical-json.ts';
export * from './commit.ts';
export * from './deployment-version.ts';
export * from './digests.ts';
export * from './durations.ts';
export * from './errors.ts';
export * from './image.ts';
export * from './merge.ts';
export * from './names.ts';
export * from './near.ts';
export * from './pipeline-words.ts';
export type * from './ports.ts';
export * from './python-text.ts';
export * from './secret-reference.ts';
export * from './tags.ts';
export * from './timestamps.ts';
export * from './validity.ts';
export * from './values.ts';
