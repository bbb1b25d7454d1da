/** Puts what was measured into docs/benchmarks.md: one part for each figure, so that a figure can be taken again alone. */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { pinnedVersion } from '../../test/testbed/index.ts';
import { ROOT } from '../steps.ts';

export interface Row {
  readonly name: string;
  readonly value: string;
  readonly target: string;
  readonly reached: boolean;
}

export function machine(): string {
  return `${String(cpus().length)} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.versions.node}`;
}

/** Versions of the peers, as their go.mod files pin them. */
export function peerVersions(): string {
  const kubernetes =
    /k8s\.io\/kubernetes v(\S+)/.exec(readFileSync(join(ROOT, 'test', 'testbed', 'kubernetes', 'go.mod'), 'utf8'))?.[1] ?? '?';
  return `kubectl and Kubernetes ${kubernetes}, helm ${pinnedVersion('helm')}, kapp ${pinnedVersion('kapp')}, argo-rollouts ${pinnedVersion('argo-rollouts')}`;
}

export function table(rows: readonly Row[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
  return `| figure | here | must reach |\n| --- | --- | --- |\n${rows.map((r) => `| ${cell(r.name)} | ${cell(r.value)}${r.target !== '' && !r.reached ? ' **(missed)**' : ''} | ${cell(r.target)} |`).join('\n')}`;
}

const HEADING = '## Deploy against a real API server';

/** Replaces the parts of the figures that were measured, and leaves the others. */
export function writeDocs(measured: ReadonlyMap<string, readonly Row[]>, order: readonly string[]): void {
  const file = join(ROOT, 'docs', 'benchmarks.md');
  const text = readFileSync(file, 'utf8');
  const at = text.indexOf(HEADING);
  const before = at < 0 ? `${text.trimEnd()}\n\n` : text.slice(0, at);
  const parts = new Map<string, string>();
  for (const part of (at < 0 ? '' : text.slice(at)).split(/^### /m).slice(1))
    parts.set(part.slice(0, part.indexOf('\n')).trim(), part.slice(part.indexOf('\n')).trim());
  for (const [name, rows] of measured) if (rows.length > 0) parts.set(name, `\`npm run bench -- --only ${name}\`\n\n${table(rows)}`);
  const introduction = `${HEADING}

${machine()}; ${peerVersions()}. Nodes and pods are played except in \`crossover\`, where they are real. Requests and writes are counted by the API
server's audit log. \`↳\` stands beside the figure above it: a peer with the very same objects, or the same in another way. The load average is
the machine's when the figure began.
`;
  const known = [...order, ...[...parts.keys()].filter((name) => !order.includes(name))];
  writeFileSync(
    file,
    `${before}${introduction}\n${known
      .filter((name) => parts.has(name))
      .map((name) => `### ${name}\n\n${parts.get(name) as string}\n`)
      .join('\n')}`,
  );
}
