/**
 * Figures of the contract: soa-configs of 1,000 services, `deployments.json` of all of them, the newest mark among 100,000 tags. Called by
 * `npm run bench`; alone: `node scripts/bench-contract.ts` (needs only `dist/validate` and `dist/generate-deployments`).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newestPackedMark } from '../src/shared/git/packed-refs.ts';
import { sharedStore } from '../test/support/bare-repositories.ts';
import { runBundle, type BundleRun } from '../test/support/runner.ts';

type Report = (name: string, value: string, target: string, reached: boolean) => void;

const SERVICES = 1_000;
const CLUSTER = 'bench';

function write(path: string, text: string): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
}

/** 1,000 services of three instances, with the files that a service usually has and a repository on this machine. */
function writeServices(scratch: string): { readonly soaDir: string; readonly systemConfigDir: string; markAll(): void } {
  const [soaDir, systemConfigDir] = [join(scratch, 'soa'), join(scratch, 'system')];
  write(
    join(systemConfigDir, 'paasta.json'),
    JSON.stringify({ clusters: [CLUSTER], docker_registry: 'registry.example', volumes: [], vault_cluster_map: { [CLUSTER]: CLUSTER } }),
  );
  const store = sharedStore(join(scratch, 'store.git'));
  for (let n = 0; n < SERVICES; n++) {
    const service = `bench${String(n).padStart(4, '0')}`;
    const repository = join(scratch, 'git', `${service}.git`);
    const groups = ['canary', 'main', 'worker'];
    store.write(repository, {
      'refs/heads/main': 'commit',
      ...Object.fromEntries(
        groups.flatMap((group) =>
          Array.from(
            { length: 5 },
            (_, at) => [`refs/tags/paasta-${CLUSTER}.${group}-2026010${String(at + 1)}T000000-deploy`, 'commit'] as const,
          ),
        ),
      ),
    });
    const files: Record<string, string> = {
      'service.yaml': `description: service ${String(n)} of the bench\nexternal_link: https://example.com/${service}\ngit_url: ${repository}\n`,
      'monitoring.yaml': 'team: bench\nnotification_email: bench@example.com\npage: false\n',
      'deploy.yaml': `pipeline:\n- step: itest\n- step: push-to-registry\n${groups.map((group) => `- step: ${CLUSTER}.${group}\n`).join('')}`,
      'smartstack.yaml': `main:\n  proxy_port: ${String(20_000 + n)}\n  healthcheck_uri: /status\n  timeout_server_ms: 1000\n`,
      [`kubernetes-${CLUSTER}.yaml`]: `_template: &template\n  cpus: 0.1\n  mem: 256\n  disk: 256\n  env: {SERVICE: ${service}, LEVEL: info}\n${groups.map((group) => `${group}:\n  <<: *template\n  instances: ${group === 'main' ? '3' : '1'}\n  deploy_group: ${CLUSTER}.${group}\n  bounce_method: crossover\n  healthcheck_mode: cmd\n  healthcheck_cmd: /bin/true\n${group === 'main' ? '' : `  registrations: []\n`}`).join('')}`,
    };
    for (const [file, text] of Object.entries(files)) write(join(soaDir, service, file), text);
  }
  // A push writes a loose tag: only git can say what it points at.
  const markAll = (): void => {
    for (let n = 0; n < SERVICES; n++)
      write(
        join(scratch, 'git', `bench${String(n).padStart(4, '0')}.git`, 'refs', 'tags', `paasta-${CLUSTER}.main-20260201T000000-deploy`),
        `${store.commit}\n`,
      );
  };
  return { soaDir, systemConfigDir, markAll };
}

/** Runs a bundle; also says how much memory it took at most, in MB. */
async function measured(action: string, inputs: Record<string, string>, scratch: string): Promise<BundleRun & { readonly memory: number }> {
  const note = join(scratch, 'memory');
  const module = `import{writeFileSync}from'node:fs';process.on('exit',()=>writeFileSync(${JSON.stringify(note)},String(process.resourceUsage().maxRSS)))`;
  const run = await runBundle(action, {
    inputs,
    cwd: scratch,
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(module)}` },
  });
  if (run.code !== 0) throw new Error(`${action} ended with ${String(run.code)}:\n${run.text.slice(-3_000)}`);
  return { ...run, memory: existsSync(note) ? Number(readFileSync(note, 'utf8')) / 1024 : NaN };
}

/** Milliseconds and bytes of finding the newest mark of a group, in a process of its own: nothing is warm but the disk. */
function newestMark(scratch: string, groups: number): { readonly milliseconds: number; readonly bytes: number } {
  const directory = join(scratch, `tags${String(groups)}.git`);
  const tags = Array.from(
    { length: 100_000 },
    (_, n) =>
      `refs/tags/paasta-group${String(n % groups).padStart(3, '0')}-20${String(10_000_000 + Math.floor(n / groups)).slice(2)}T${String(n).padStart(6, '0')}-deploy`,
  );
  sharedStore(join(scratch, `store${String(groups)}.git`)).write(directory, Object.fromEntries(tags.map((name) => [name, 'commit'])));
  const own = JSON.parse(
    execFileSync(process.execPath, [fileURLToPath(import.meta.url), '--newest-mark', directory], { encoding: 'utf8' }),
  ) as { milliseconds: number; bytes: number; name: string };
  const newest = tags
    .filter((name) => name.includes('group000'))
    .sort()
    .at(-1);
  if (own.name !== newest) throw new Error(`the newest mark is ${String(newest)}, found was ${own.name}`);
  return own;
}

/** Measures and reports everything. */
export async function contractFigures(report: Report): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'paasta-bench-contract-'));
  try {
    const { soaDir, systemConfigDir, markAll } = writeServices(scratch);
    const inputs = { 'soa-dir': soaDir, 'system-config-dir': systemConfigDir };
    const validate = await measured('validate', { ...inputs, 'check-run': 'false' }, scratch);
    report(
      '1,000 services × 3 instances: load and validate',
      `${(validate.milliseconds / 1_000).toFixed(1)} s, ${validate.memory.toFixed(0)} MB`,
      '≤ 5 s, ≤ 400 MB',
      validate.milliseconds <= 5_000 && validate.memory <= 400,
    );
    const first = await measured('generate-deployments', inputs, scratch);
    const again = await measured('generate-deployments', inputs, scratch);
    if ((JSON.parse(first.outputs['services'] ?? '[]') as unknown[]).length !== SERVICES || again.outputs['changed'] !== 'false')
      throw new Error(`generate-deployments did not write all, or wrote twice:\n${first.text.slice(-2_000)}`);
    markAll();
    const marked = await measured('generate-deployments', inputs, scratch);
    report(
      'generate-deployments for 1,000 services from local git',
      `${(first.milliseconds / 1_000).toFixed(1)} s, ${first.memory.toFixed(0)} MB (again, unchanged: ${(again.milliseconds / 1_000).toFixed(1)} s; every tag list with a loose tag: ${(marked.milliseconds / 1_000).toFixed(1)} s)`,
      '≤ 10 s',
      Math.max(first.milliseconds, marked.milliseconds) <= 10_000,
    );
    for (const [groups, words] of [
      [100, 'in 100 groups'],
      [1, 'all of that group'],
    ] as const) {
      const { milliseconds, bytes } = newestMark(scratch, groups);
      report(
        `newest mark of a group among 100,000 tags (${words}), local`,
        `${milliseconds.toFixed(1)} ms, ${(bytes / 1e6).toFixed(3)} MB read`,
        '≤ 20 ms, ≤ 0.3 MB',
        milliseconds <= 20 && bytes <= 300_000,
      );
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , word, directory = ''] = process.argv;
  if (word === '--newest-mark') {
    const began = performance.now();
    const read = newestPackedMark(directory, 'group000');
    process.stdout.write(
      JSON.stringify({ milliseconds: performance.now() - began, bytes: read?.bytesRead ?? Infinity, name: read?.found?.name ?? '' }),
    );
  } else
    await contractFigures((name, value, target, reached) => {
      process.stdout.write(`${reached ? '✔' : '✘'} ${name}: ${value} (must reach ${target})\n`);
    });
}
