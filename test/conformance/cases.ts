/** Where the vectors lie, and reading them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { Case } from './types.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Cases of PaaSTA's that larger samples had, for the rules that no visible case uses (`npm run conformance:fresh -- --rare FILE`). */
export const RARE = join(ROOT, 'test', 'fixtures', 'conformance-rare');

export function defaultDirectory(): string {
  const shared = join(ROOT, '..', 'shared', 'conformance');
  return existsSync(shared) ? shared : join(ROOT, 'test', 'fixtures', 'conformance');
}

/** The cases of a directory, one JSON text each. */
export function readLines(directory: string): string[] {
  const names = existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => /\.jsonl(\.gz)?$/.test(name))
        .sort()
    : [];
  return names.flatMap((name) => {
    const bytes = readFileSync(join(directory, name));
    const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
    return text.split('\n').filter((line) => line.trim() !== '');
  });
}

export function readCases(directory: string): Case[] {
  return readLines(directory).map((line) => JSON.parse(line) as Case);
}
