/** A soa-configs tree on disk, and deploy as a process of its own against a testbed cluster. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cluster } from '../testbed/index.ts';
import { runBundle, type BundleOptions, type BundleRun } from './runner.ts';

const ENTRY = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'src', 'deploy', 'index.ts');

/** A commit id of one repeated digit. */
export const sha = (digit: string): string => digit.repeat(40);

export interface Scene {
  readonly directory: string;
  readonly soaDir: string;
  readonly systemDir: string;
  write(path: string, text: string): void;
  /** What every deploy group of a service runs, as deployments.json. */
  mark(service: string, versions: Readonly<Record<string, string>>, stopped?: readonly string[]): void;
  system(values: Readonly<Record<string, unknown>>): void;
  deploy(inputs?: Readonly<Record<string, string>>, options?: BundleOptions): Promise<BundleRun>;
  remove(): void;
}

export function createScene(cluster: Pick<Cluster, 'kubeconfigPath'>, name = 'lab'): Scene {
  const directory = mkdtempSync(join(tmpdir(), 'paasta-deploy-'));
  const soaDir = join(directory, 'soa-configs');
  const systemDir = join(directory, 'system');
  for (const path of [soaDir, systemDir]) mkdirSync(path);
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  const scene: Scene = {
    directory,
    soaDir,
    systemDir,
    write: (path, text) => {
      put(join(soaDir, path), text);
    },
    mark: (service, versions, stopped = []) => {
      const deployments = Object.fromEntries(
        Object.entries(versions).map(([group, commit]) => [
          group,
          { docker_image: `services-${service}:paasta-${commit}`, git_sha: commit, image_version: null },
        ]),
      );
      const controls = Object.fromEntries(stopped.map((branch) => [`${service}:${branch}`, { desired_state: 'stop', force_bounce: null }]));
      put(join(soaDir, service, 'deployments.json'), JSON.stringify({ v1: {}, v2: { deployments, controls } }));
    },
    system: (values) => {
      put(
        join(systemDir, 'paasta.json'),
        JSON.stringify({ clusters: [name, 'elsewhere'], docker_registry: 'registry.invalid', volumes: [], pre_stop: 'native', ...values }),
      );
    },
    deploy: (inputs = {}, options = {}) =>
      runBundle('deploy', {
        entry: ENTRY,
        cwd: directory,
        ...options,
        inputs: {
          cluster: name,
          'soa-dir': 'soa-configs',
          'system-config-dir': 'system',
          kubeconfig: cluster.kubeconfigPath,
          'pin-digest': 'false',
          timeout: '5m',
          'stability-window': '0s',
          ...inputs,
        },
      }),
    remove: () => {
      rmSync(directory, { recursive: true, force: true });
    },
  };
  scene.system({});
  return scene;
}

/** An instance without a port, quick to stop. */
export const worker = (extra = ''): string =>
  `{cpus: 0.1, mem: 64, disk: 64, instances: 2, deploy_group: prod, cmd: 'true'${extra === '' ? '' : `, ${extra}`}}`;
