/**
 * The whole surroundings of a service, real parts only (but GitHub itself, which is the double): a docker engine, a
 * registry with a password, git over HTTP, a Kubernetes, the example's repositories and system configuration.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startGitHub, type DoubleRepository, type GitHubDouble } from '../testbed/github/index.ts';
import { ensureDocker, ensureGo, startCluster, startRegistry, type Cluster, type Docker, type Registry } from '../testbed/index.ts';
import { runBundle, type BundleOptions, type BundleRun } from './runner.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const exec = promisify(execFile);

/** Files below a directory as path → text. */
export function filesOf(directory: string, below = ''): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of readdirSync(join(directory, below))) {
    const path = below === '' ? name : `${below}/${name}`;
    if (statSync(join(directory, path)).isDirectory()) Object.assign(files, filesOf(directory, path));
    else files[path] = readFileSync(join(directory, path), 'utf8');
  }
  return files;
}

/** Everything of a job but a cluster. */
export interface ServiceWorld {
  readonly github: GitHubDouble;
  readonly repository: DoubleRepository;
  /** Token of the job, with the permissions that our workflow asks for. */
  readonly token: string;
  readonly registry: Registry;
  readonly docker: Docker;
  readonly soaDir: string;
  readonly systemConfigDir: string;
  /** Working copy of the service. */
  readonly checkout: string;
  /** Directories that jobs need on their PATH: docker, Go. */
  readonly path: readonly string[];
  /** Environment of the machine on which jobs run: docker, Go, the registry's credential. */
  readonly env: Readonly<Record<string, string>>;
  /** Writes files into the working copy, commits and pushes them; the commit. */
  commit(files: Readonly<Record<string, string>>, message: string): Promise<string>;
  /** One of our actions, as a job on `main` would run it. */
  action(name: string, inputs: Readonly<Record<string, string>>, options?: BundleOptions): Promise<BundleRun>;
  stop(): Promise<void>;
}

export interface World extends ServiceWorld {
  readonly cluster: Cluster;
  kubectl(...argv: string[]): Promise<string>;
}

/** Docker engine, registry, the double and the example's repositories; no cluster. */
export async function startServiceWorld(options: {
  name: string;
  log: (line: string) => void;
  keep?: boolean;
  context?: string;
}): Promise<ServiceWorld> {
  const { name, log, keep = false } = options;
  const directory = mkdtempSync(join(tmpdir(), 'paasta-world-'));
  const { goPath } = await ensureGo(log);
  const docker = await ensureDocker({ name, log, keep });
  const registry = await startRegistry({ name, log, keep });
  const github = await startGitHub({ root: join(directory, 'git') });
  const repository = await github.createRepository('acme', 'hello', { files: filesOf(join(ROOT, 'examples', 'hello')) });
  const token = github.addToken({ permissions: { contents: 'write', deployments: 'write', metadata: 'read' } });

  const soaDir = join(directory, 'soa-configs');
  const systemConfigDir = join(directory, 'system-config');
  const checkout = join(directory, 'hello');
  cpSync(join(ROOT, 'examples', 'soa-configs'), soaDir, { recursive: true });
  mkdirSync(systemConfigDir);
  const system = JSON.parse(readFileSync(join(ROOT, 'examples', 'system-config', 'paasta.json'), 'utf8')) as Record<string, unknown>;
  const context = options.context ?? 'none';
  writeFileSync(
    join(systemConfigDir, 'paasta.json'),
    JSON.stringify({ ...system, docker_registry: `${registry.host}/team`, kube_clusters: { dev: { context }, prod: { context } } }),
  );
  const git = async (...argv: string[]): Promise<string> => (await exec('git', ['-C', checkout, ...argv])).stdout.trim();
  await exec('git', ['clone', '--quiet', repository.cloneUrl, checkout]);
  await git('config', 'user.name', 'Ada');
  await git('config', 'user.email', 'ada@example.com');
  await git('remote', 'set-url', '--push', 'origin', repository.bareDir);

  const path = [dirname(docker.dockerPath), dirname(goPath)];
  // the caches of Go are the machine's, as on a hosted runner
  const env = {
    ...docker.env,
    DOCKER_CONFIG: registry.dockerConfigDir,
    PATH: [dirname(process.execPath), ...path, process.env['PATH'] ?? ''].join(':'),
    GOTOOLCHAIN: 'local',
    GOCACHE: process.env['GOCACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'go-build'),
    GOPATH: process.env['GOPATH'] ?? join(homedir(), 'go'),
  };
  return {
    github,
    repository,
    token,
    registry,
    docker,
    soaDir,
    systemConfigDir,
    checkout,
    path,
    env,
    async commit(files, message) {
      for (const [path, text] of Object.entries(files)) writeFileSync(join(checkout, path), text);
      await git('add', '--all');
      await git('commit', '--quiet', '--message', message);
      await git('push', '--quiet', 'origin', 'HEAD:main');
      return git('rev-parse', 'HEAD');
    },
    async action(action, inputs, more = {}) {
      const sha = await git('rev-parse', 'HEAD');
      return runBundle(action, {
        cwd: checkout,
        ...more,
        inputs: {
          'soa-dir': soaDir,
          'system-config-dir': systemConfigDir,
          ...(action === 'deploy' ? { 'stability-window': '0s' } : {}),
          ...inputs,
        },
        env: {
          ...env,
          GITHUB_REPOSITORY: 'acme/hello',
          GITHUB_REPOSITORY_OWNER: 'acme',
          GITHUB_SHA: sha,
          GITHUB_REF: 'refs/heads/main',
          GITHUB_EVENT_NAME: 'push',
          GITHUB_ACTOR: 'ada',
          GITHUB_RUN_ID: '1',
          GITHUB_SERVER_URL: github.url,
          GITHUB_API_URL: github.apiUrl,
          ...more.env,
        },
      });
    },
    async stop() {
      const violations = github.violations();
      await github.stop();
      if (!keep) {
        await registry.stop();
        await docker.stop();
      }
      rmSync(directory, { recursive: true, force: true });
      if (violations.length > 0) throw new Error(`GitHub's own description rejects what was asked or answered:\n${violations.join('\n')}`);
    },
  };
}

/** The same with a Kubernetes that may pull from the registry. */
export async function startWorld(options: {
  name: string;
  size: 'control-plane' | 'full';
  log: (line: string) => void;
  keep?: boolean;
}): Promise<World> {
  const { name, log, keep = false } = options;
  const cluster = await startCluster({
    name,
    keep,
    size: options.size,
    log,
    ...(options.size === 'control-plane' ? { fakeNodes: 1 } : {}),
  });
  // PaaSTA's nodes belong to a pool, and every instance asks for one
  await cluster.must(['label', 'nodes', '--all', '--overwrite', 'yelp.com/pool=default']);
  const world = await startServiceWorld({ ...options, context: cluster.context });
  await cluster.addRegistry(world.registry);
  return {
    ...world,
    cluster,
    kubectl: (...argv) => cluster.must(argv, {}),
    async stop() {
      if (!keep) await cluster.stop();
      await world.stop();
    },
  };
}
