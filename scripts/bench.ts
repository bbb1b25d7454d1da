/**
 * `npm run bench`: the figures of docs/benchmarks.md, measured on this machine and printed with what they must reach. Nothing here is a
 * test: a slow machine is told, not failed.
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { runBundle } from '../test/support/runner.ts';
import { auditCounts, auditMark, inPlainWords, startCluster, type Cluster } from '../test/testbed/index.ts';
import { contractFigures } from './bench-contract.ts';
import { deployFigures, readDeployBench } from './bench-deploy.ts';
import { ROOT } from './steps.ts';

interface Figure {
  readonly name: string;
  readonly value: string;
  readonly target: string;
  readonly reached: boolean;
}
const figures: Figure[] = [];
function report(name: string, value: string, target: string, reached: boolean): void {
  figures.push({ name, value, target, reached });
  console.log(target === '' ? `  ${name}: ${value}` : `${reached ? '✔' : '✘'} ${name}: ${value} (must reach ${target})`);
}
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
const scratch = mkdtempSync(join(tmpdir(), 'paasta-bench-'));

/** A server on loopback that notes when the first connection arrives (a registry is asked over TLS first), and how many requests came. */
async function listener(): Promise<{ url: string; host: string; requests(): number; first(): Promise<number>; close(): void }> {
  let count = 0;
  let notify: (at: number) => void = () => undefined;
  const server = http.createServer((_, response) => {
    count++;
    response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
  });
  server.on('connection', () => {
    notify(performance.now());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    requests: () => count,
    first: () =>
      new Promise((resolve) => {
        notify = resolve;
      }),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Milliseconds from the start of a process until it exits (`node -e 0`), median of 10. */
function bareNode(): number {
  const times: number[] = [];
  for (let i = 0; i < 11; i++) {
    const began = performance.now();
    execFileSync(process.execPath, ['-e', '0']);
    if (i > 0) times.push(performance.now() - began);
  }
  return median(times);
}

/** Milliseconds from the start of a bundle to its first outbound request or process, median of 10. */
async function coldStart(action: string, inputs: Record<string, string>): Promise<number> {
  const bin = join(scratch, 'bin');
  const mark = join(scratch, 'first');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(scratch, 'Makefile'), 'itest:\n\ttrue\n');
  for (const program of ['git', 'make', 'docker']) {
    writeFileSync(join(bin, program), `#!/bin/sh\nexec 3<>/dev/null; [ -e ${mark} ] || : > ${mark}\nexit 1\n`);
    chmodSync(join(bin, program), 0o755);
  }
  const times: number[] = [];
  for (let i = 0; i < 11; i++) {
    rmSync(mark, { force: true });
    const server = await listener();
    const kubeconfig = join(scratch, 'kubeconfig');
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'x',
        clusters: [{ name: 'x', cluster: { server: server.url } }],
        users: [{ name: 'x', user: {} }],
        contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
      }),
    );
    const began = performance.now();
    const first = server.first();
    const replace = (value: string): string =>
      value.replace('$HOST', server.host).replace('$URL', server.url).replace('$KUBECONFIG', kubeconfig);
    const run = runBundle(action, {
      inputs: Object.fromEntries(Object.entries(inputs).map(([k, v]) => [k, replace(v)])),
      cwd: scratch,
      env: { PATH: `${bin}:/usr/bin:/bin`, GITHUB_API_URL: server.url, GITHUB_REPOSITORY: 'acme/hello', GITHUB_SERVER_URL: server.url },
      deadline: 5_000,
      onStart: (child) => {
        void first.then(() => setTimeout(() => child.kill('SIGKILL'), 5));
      },
    });
    const byFile = new Promise<number>((resolve) => {
      const timer = setInterval(() => {
        try {
          statSync(mark);
          clearInterval(timer);
          resolve(performance.now());
        } catch {
          /* not yet */
        }
      }, 1);
      void run.then(() => {
        clearInterval(timer);
      });
    });
    const at = await Promise.race([
      first,
      byFile,
      run.then((r) => {
        throw new Error(`${action} made no request and started no process:\n${r.text}`);
      }),
    ]);
    if (i > 0) times.push(at - began);
    await run.catch(() => undefined);
    server.close();
  }
  return median(times);
}

function tree(instances: number): { soaDir: string; systemConfigDir: string } {
  const soaDir = join(scratch, 'soa');
  const systemConfigDir = join(scratch, 'system');
  mkdirSync(systemConfigDir, { recursive: true });
  writeFileSync(
    join(systemConfigDir, 'paasta.json'),
    JSON.stringify({ clusters: ['bench'], docker_registry: '127.0.0.1:9/bench', volumes: [], pre_stop: 'native' }),
  );
  for (let i = 0; i < instances; i++) {
    const service = `bench${String(i).padStart(3, '0')}`;
    const sha = i.toString(16).padStart(40, 'a');
    mkdirSync(join(soaDir, service), { recursive: true });
    writeFileSync(
      join(soaDir, service, 'kubernetes-bench.yaml'),
      'main: {cpus: 0.01, mem: 32, disk: 32, instances: 1, deploy_group: bench}\n',
    );
    writeFileSync(
      join(soaDir, service, 'deployments.json'),
      JSON.stringify({
        v1: {},
        v2: {
          deployments: { bench: { docker_image: `services-${service}:paasta-${sha}`, git_sha: sha, image_version: null } },
          controls: { [`${service}:bench.main`]: { desired_state: 'start', force_bounce: null } },
        },
      }),
    );
  }
  return { soaDir, systemConfigDir };
}

async function clusterFigures(cluster: Cluster): Promise<void> {
  const { soaDir, systemConfigDir } = tree(100);
  const inputs = {
    cluster: 'bench',
    'soa-dir': soaDir,
    'system-config-dir': systemConfigDir,
    kubeconfig: cluster.kubeconfigPath,
    'pin-digest': 'false',
    timeout: '5m',
    'stability-window': '0s',
  };
  console.log('deploying 100 instances once …');
  const first = await runBundle('deploy', { inputs, deadline: 400_000 });
  if (first.code !== 0) throw new Error(`the first deploy failed:\n${first.text.slice(-4_000)}`);
  const registry = await listener();
  const github = await listener();
  const from = auditMark(cluster.auditLogPath);
  const again = await runBundle('deploy', { inputs, env: { GITHUB_API_URL: github.url } });
  const counts = auditCounts(cluster.auditLogPath, from, /paasta-actions/);
  report(
    'unchanged pass over 100 instances',
    `${counts.total} API requests, ${counts.writes} writes, ${registry.requests()} registry and ${github.requests()} GitHub requests, ${(again.milliseconds / 1_000).toFixed(2)} s`,
    '≤ 10 API requests, 0 writes, 0 and 0',
    again.code === 0 && counts.total <= 10 && counts.writes === 0 && github.requests() === 0,
  );
  registry.close();
  github.close();

  // Last pod ready → verdict: the moment at which a watcher of our own sees the pod ready, against the moment at which the verdict is printed.
  const gaps: number[] = [];
  for (let i = 0; i < 10; i++) {
    writeFileSync(
      join(soaDir, 'bench000', 'kubernetes-bench.yaml'),
      `main: {cpus: 0.01, mem: 32, disk: 32, instances: 1, deploy_group: bench, env: {ROUND: "${i}"}}\n`,
    );
    let readyAt = 0;
    const watcher = spawn(
      cluster.kubectlPath,
      ['--kubeconfig', cluster.kubeconfigPath, 'get', '--raw', '/api/v1/namespaces/paastasvc-bench000/pods?watch=true'],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    let rest = '';
    watcher.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const { type, object } = JSON.parse(line) as {
          type: string;
          object: { metadata: { deletionTimestamp?: string; name: string }; status?: { conditions?: { type: string; status: string }[] } };
        };
        // the verdict also needs the old pod to be gone: whichever comes last counts
        if (
          type === 'DELETED' ||
          (object.metadata.deletionTimestamp === undefined &&
            object.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true)
        )
          readyAt = performance.now();
      }
    });
    await new Promise((resolve) => {
      setTimeout(resolve, 400);
    });
    let endedAt = 0;
    const run = await runBundle('deploy', {
      inputs: { ...inputs, service: 'bench000' },
      onText: (chunk) => {
        if (endedAt === 0 && /proven/i.test(chunk)) endedAt = performance.now();
      },
    });
    watcher.kill('SIGKILL');
    if (run.code !== 0 || endedAt === 0) throw new Error(`round ${i} was not proven:\n${run.text}`);
    gaps.push(endedAt - readyAt);
  }
  report(
    'last pod turned ready → verdict, median of 10',
    `${(median(gaps) / 1_000).toFixed(3)} s (largest ${(Math.max(...gaps) / 1_000).toFixed(3)} s)`,
    '≤ 0.5 s',
    median(gaps) <= 500,
  );

  // GitHub gives a cancelled step 7.5 s after SIGINT and 2.5 s more after SIGTERM.
  const ends: number[] = [];
  cluster.setFakeRules([{ namespace: 'paastasvc-bench001', behaviour: 'never-ready' }]);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    writeFileSync(
      join(soaDir, 'bench001', 'kubernetes-bench.yaml'),
      `main: {cpus: 0.01, mem: 32, disk: 32, instances: 1, deploy_group: bench, env: {ROUND: "${signal}"}}\n`,
    );
    let cancelledAt = 0;
    let cancel = (): void => undefined;
    const run = await runBundle('deploy', {
      inputs: { ...inputs, service: 'bench001' },
      onStart: (child) => {
        cancel = () => child.kill(signal);
      },
      onText: (lines) => {
        if (cancelledAt !== 0 || !lines.includes('0/1 ready')) return;
        cancelledAt = performance.now();
        cancel();
      },
    });
    if (run.code !== 130) throw new Error(`${signal} did not end the wait with 130:\n${run.text}`);
    ends.push(performance.now() - cancelledAt);
  }
  cluster.setFakeRules([]);
  report(
    'SIGINT, SIGTERM during the wait → exit 130, outputs and summary written',
    ends.map((milliseconds) => `${(milliseconds / 1_000).toFixed(2)} s`).join(', '),
    '≤ 5 s',
    Math.max(...ends) <= 5_000,
  );
}

/** Seconds of a whole demo run in an environment. */
async function demoFigure(name: string, limit: number, env: NodeJS.ProcessEnv): Promise<void> {
  execFileSync('npm', ['run', '--silent', 'testbed', '--', 'down'], { cwd: ROOT, stdio: 'ignore', env });
  console.log(`${name}: running the demo …`);
  const began = performance.now();
  const child = spawn('npm', ['run', '--silent', 'demo'], { cwd: ROOT, stdio: 'ignore', env });
  const code = await new Promise<number | null>((resolve) => child.on('exit', resolve));
  const seconds = (performance.now() - began) / 1_000;
  report(
    name,
    `${seconds.toFixed(0)} s${code === 0 ? '' : `, ended with exit ${String(code)}`}`,
    `≤ ${limit} s`,
    code === 0 && seconds <= limit,
  );
}

function machine(): string {
  return `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.versions.node}`;
}

/** Cold starts, the contract, and an unchanged pass over a small cluster. */
async function standardFigures(): Promise<void> {
  const bare = bareNode();
  console.log(`bare node: ${bare.toFixed(0)} ms`);
  const sha = 'a'.repeat(40);
  const { soaDir, systemConfigDir } = tree(1);
  const common = { service: 'bench000', commit: sha, 'soa-dir': soaDir, 'system-config-dir': systemConfigDir, registry: '$HOST' };
  const starts: readonly [string, number, Record<string, string>][] = [
    ['itest', 4, common],
    ['push-to-registry', 4, common],
    ['mark-for-deployment', 4, { ...common, 'deploy-group': 'bench', 'github-token': 'none', 'github-api-url': '$URL' }],
    [
      'deploy',
      8,
      {
        service: 'bench000',
        cluster: 'bench',
        'soa-dir': soaDir,
        'system-config-dir': systemConfigDir,
        kubeconfig: '$KUBECONFIG',
        'pin-digest': 'false',
      },
    ],
  ];
  for (const [action, times, inputs] of starts) {
    const ms = await coldStart(action, inputs);
    report(
      `cold start of ${action}, median of 10`,
      `${ms.toFixed(0)} ms = ${(ms / bare).toFixed(1)} × bare node`,
      `≤ ${times} ×`,
      ms <= times * bare,
    );
  }
  const bytes = readdirSync(join(ROOT, 'dist'), { recursive: true, encoding: 'utf8' })
    .filter((f) => /\.m?js$/.test(f))
    .reduce((n, f) => n + statSync(join(ROOT, 'dist', f)).size, 0);
  report('code in dist/', `${(bytes / 2 ** 20).toFixed(2)} MB`, '≤ 10 MB', bytes <= 10 * 2 ** 20);

  await contractFigures(report);

  const cluster = await startCluster({
    name: 'bench',
    size: 'control-plane',
    fakeNodes: 3,
    log: (line) => {
      console.log(line);
    },
  });
  try {
    await cluster.must(['label', 'nodes', '--all', '--overwrite', 'yelp.com/pool=default']);
    await clusterFigures(cluster);
  } finally {
    await cluster.stop();
  }
}

async function demoFigures(): Promise<void> {
  if (process.argv.includes('--no-demo')) console.log('demo: not measured (--no-demo)');
  else await demoFigure('demo, warm', 90, process.env);
  if (process.argv.includes('--cold')) {
    // an empty user cache directory is what a fresh machine has; the packages of the system stay as they are
    const home = mkdtempSync(join(tmpdir(), 'paasta-cold-'));
    try {
      await demoFigure('demo, cold caches', 720, {
        ...process.env,
        XDG_CACHE_HOME: home,
        GOCACHE: join(home, 'go-build'),
        GOMODCACHE: join(home, 'go-mod'),
      });
    } finally {
      execFileSync('chmod', ['-R', 'u+w', home]);
      rmSync(home, { recursive: true, force: true });
    }
  } else console.log('demo, cold caches: not measured (add --cold; about 10 minutes)');
}

try {
  const deployBench = readDeployBench(process.argv);
  console.log(machine());
  if (deployBench.standard) await standardFigures();
  await deployFigures(report, deployBench);
  if (!process.argv.includes('--only')) await demoFigures();
  console.log(
    `\n| figure | here | must reach |\n| --- | --- | --- |\n${figures.map((f) => `| ${f.name} | ${f.value} | ${f.target} |`).join('\n')}`,
  );
} catch (error) {
  console.error(`✘ ${inPlainWords(error)}`);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
