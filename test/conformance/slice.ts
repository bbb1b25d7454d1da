/**
 * Writes the slice of the vectors that lives in the repository: `node test/conformance/slice.ts DIR [CASES]`. Per kind some thirty cases, first
 * those that use a rule, then those that bring a new label, then the shortest. For machines that have only the repository: on another set
 * of vectors a rule that no case there uses is looked up in the slice.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { judge, loadPlug } from './judge.ts';
import type { Case, Difference } from './types.ts';

const [, , from, count = '30'] = process.argv;
if (from === undefined) throw new Error('usage: node test/conformance/slice.ts DIR [CASES]');
const out = join(dirname(fileURLToPath(import.meta.url)), '..', 'fixtures', 'conformance');
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

for (const name of readdirSync(from)
  .filter((file) => file.endsWith('.jsonl'))
  .sort()) {
  const lines = readFileSync(join(from, name), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  const cases = lines.map((line) => {
    const test = JSON.parse(line) as Case;
    return { line, test, notes: test.notes };
  });
  const shortest = [...cases].sort((a, b) => a.line.length - b.line.length);
  const known = new Set<string>();
  const used = new Set<Difference>();
  const picked = new Set<string>();
  for (const { line, test, notes } of shortest) {
    const plug = await loadPlug(test.kind);
    const answer = await plug?.answer(test);
    const rules = plug === undefined || answer === undefined ? [] : judge(plug, answer, test).rules;
    if (picked.size >= Number(count) || rules.every((rule) => used.has(rule))) continue;
    for (const rule of rules) used.add(rule);
    for (const note of notes) known.add(note);
    picked.add(line);
  }
  for (const { line, notes } of shortest) {
    if (picked.size >= Number(count) || notes.every((note) => known.has(note))) continue;
    for (const note of notes) known.add(note);
    picked.add(line);
  }
  for (const { line } of shortest) if (picked.size < Number(count)) picked.add(line);
  // The time stamp in a gzip header would change the file at every run; Node writes none.
  writeFileSync(join(out, `${name}.gz`), gzipSync(lines.filter((line) => picked.has(line)).join('\n') + '\n', { level: 9 }));
  process.stdout.write(`${name}: ${picked.size} of ${lines.length}\n`);
}
