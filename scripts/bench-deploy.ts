/**
 * Figures of deploy against a real API server, with the peers beside them. Called by `npm run bench`; a figure alone:
 * `npm run bench -- --only noop` (or `node scripts/bench-deploy.ts --only noop,faults`). `--sources` measures the sources instead of
 * `dist/`, `--long` watches for the full ten minutes, `--write-docs` puts the figures into docs/benchmarks.md.
 */
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../src/shared/contract/errors.ts';
import { crossoverFigure } from './bench/crossover.ts';
import { writeDocs, type Row } from './bench/docs.ts';
import { faultsFigure } from './bench/faults.ts';
import { hostileFigure } from './bench/hostile.ts';
import { ensurePeers, type Peers } from './bench/peers.ts';
import { bundleToMeasure, scratchDirectory, type Bench, type Report } from './bench/scene.ts';
import { memoryFigure, verdictFigure } from './bench/watching.ts';
import { firstApplyFigure, noopFigure, oneChangeFigure, withFiveHundred } from './bench/writes.ts';

/** Names for `--only`, in the order in which they run. */
export const FIGURES = ['noop', 'first-apply', 'one-change', 'verdict', 'memory', 'faults', 'hostile', 'crossover'] as const;
export type FigureName = (typeof FIGURES)[number];

/** Cold starts, the contract and the small cluster, in `--only`. */
const STANDARD = 'standard';

export interface DeployBench {
  /** The figures that are none of deploy's are taken, too. */
  readonly standard: boolean;
  readonly only: readonly FigureName[];
  readonly sources: boolean;
  readonly long: boolean;
  readonly scale: number;
  readonly writeDocs: boolean;
}

/** The part of the arguments that is about these figures; an unknown name is an error with the known ones. */
export function readDeployBench(argv: readonly string[]): DeployBench {
  const at = argv.indexOf('--only');
  const known: readonly string[] = [STANDARD, ...FIGURES];
  const asked = at < 0 ? known : (argv[at + 1] ?? '').split(',').map((name) => name.trim());
  const unknown = asked.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(', ')}: known are ${known.join(', ')}`);
  return {
    standard: asked.includes(STANDARD),
    only: FIGURES.filter((name) => asked.includes(name)),
    sources: argv.includes('--sources'),
    long: argv.includes('--long'),
    scale: Number(process.env['PAASTA_BENCH_SCALE'] ?? 1),
    writeDocs: argv.includes('--write-docs'),
  };
}

const load = (): string =>
  loadavg()
    .map((n) => n.toFixed(1))
    .join(' ');

/** Measures what is asked for. A figure that cannot be taken is told as such; the others go on. */
export async function deployFigures(report: Report, options: DeployBench): Promise<void> {
  const scratch = scratchDirectory();
  const say = (line: string): void => {
    console.log(line);
  };
  let current: { readonly load: string; readonly rows: Row[] } = { load: '', rows: [] };
  const measured = new Map<FigureName, Row[]>();
  const tell = (row: Row): void => {
    current.rows.push(row);
    report(row.name, row.value, row.target, row.reached);
  };
  const bench: Bench = {
    report: (name, value, target, reached) => {
      tell({ name, value: `${value} ${current.load}`, target, reached });
    },
    beside: (name, value) => {
      tell({ name: `↳ ${name}`, value, target: '', reached: true });
    },
    say,
    scratch: scratch.path,
    long: options.long,
    scale: options.scale,
    entry: await bundleToMeasure(options.sources, scratch.path),
  };
  const wants = (name: FigureName): boolean => options.only.includes(name);
  const take = async (name: FigureName, figure: () => Promise<void>): Promise<void> => {
    if (!wants(name)) return;
    const from = performance.now();
    const outer = current;
    current = { load: `(load ${load()}${options.scale === 1 ? '' : `, AT SCALE ${String(options.scale)}`})`, rows: [] };
    measured.set(name, current.rows);
    say(`— ${name}, load average ${load()}`);
    try {
      await figure();
    } catch (error) {
      say(messageOf(error).slice(0, 3_000));
      tell({
        name,
        value: `could not be measured: ${(messageOf(error).split('\n')[0] ?? '').slice(0, 300)} ${current.load}`,
        target: 'a figure',
        reached: false,
      });
    } finally {
      current = outer;
    }
    say(`— ${name} took ${((performance.now() - from) / 1_000).toFixed(0)} s`);
  };
  try {
    const peers: Peers = ['noop', 'first-apply', 'hostile'].some((name) => wants(name as FigureName))
      ? await ensurePeers(bench)
      : { found: [], missing: [] };
    for (const line of peers.missing) say(`a peer is missing: ${line}`);
    const missing = (): void => {
      for (const line of peers.missing) bench.beside('a peer is missing', line);
    };
    await take('noop', async () => {
      missing();
      await noopFigure(bench, peers);
    });
    const inside = async (scene: Parameters<typeof oneChangeFigure>[1]): Promise<void> => {
      await take('one-change', () => oneChangeFigure(bench, scene));
      await take('verdict', () => verdictFigure(bench, scene));
      await take('memory', () => memoryFigure(bench, scene));
    };
    if (wants('first-apply'))
      await take('first-apply', async () => {
        missing();
        await firstApplyFigure(bench, peers, inside);
      });
    else if (wants('one-change') || wants('verdict') || wants('memory')) await withFiveHundred(bench, inside);
    await take('faults', () => faultsFigure(bench));
    await take('hostile', async () => {
      missing();
      await hostileFigure(bench, peers);
    });
    await take('crossover', () => crossoverFigure(bench));
    if (options.writeDocs) writeDocs(measured, FIGURES);
  } finally {
    scratch.remove();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await deployFigures((name, value, target, reached) => {
    console.log(`${target === '' ? ' ' : reached ? '✔' : '✘'} ${name}: ${value}${target === '' ? '' : ` (must reach ${target})`}`);
  }, readDeployBench(process.argv));
}
