import { UserError, problem } from '../../../src/shared/contract/errors.ts';
import { converge, type ConvergeRequest, type DigestSource, type VersionSource } from '../../../src/shared/converge/index.ts';
import type { Control } from '../../../src/shared/deployments/types.ts';
import type { KubeObject } from '../../../src/shared/objects/types.ts';
import { loadSoaConfigs, systemConfigOf, type Value } from '../../../src/shared/soa-configs/index.ts';
import { systemClock } from '../../../src/shared/runtime/clock.ts';
import { memoryTree } from '../../support/memory-tree.ts';
import { recordingLog, type RecordingLog } from '../../support/recording.ts';
import { fakeCluster, type FakeCluster } from './fake-cluster.ts';

export const A = 'a'.repeat(40);
export const B = 'b'.repeat(40);
export const instance = '{cpus: 0.1, mem: 64, instances: 2, deploy_group: prod, cmd: serve}';
export const FILES = { 'web/kubernetes-lab.yaml': `main: ${instance}\n`, 'web/deploy.yaml': 'pipeline:\n- step: prod\n' };
export const kubeSystem: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system', uid: 'the-uid' } };

/** A cluster in memory, a soa-configs tree in memory, and a run of converge over both. */
export interface World {
  readonly cluster: FakeCluster;
  readonly log: RecordingLog;
  run(
    version: string | undefined,
    more?: Partial<ConvergeRequest>,
    selection?: Partial<ConvergeRequest['selection']>,
  ): ReturnType<typeof converge>;
  readonly abort: AbortController;
  digests: DigestSource | undefined;
  control: Control;
  readonly files: Record<string, string>;
}

export function world(
  files: Readonly<Record<string, string>> = FILES,
  start: readonly KubeObject[] = [kubeSystem],
  system: Record<string, Value> = {},
): World {
  const cluster = fakeCluster(start);
  const log = recordingLog();
  const abort = new AbortController();
  const config = systemConfigOf({ clusters: ['lab', 'west'], docker_registry: 'registry.invalid', volumes: [], ...system });
  const self: World = {
    cluster,
    log,
    abort,
    digests: undefined,
    control: { desiredState: 'start', forceBounce: null },
    files: { ...files },
    run: (version, more = {}, selection = {}) => {
      const versions: VersionSource = {
        deployments: (service) =>
          Promise.resolve({
            service,
            source: 'test',
            version: () =>
              version === undefined
                ? undefined
                : { sha: version, imageVersion: null, dockerImage: `services-${service}:paasta-${version}` },
            control: () => self.control,
            problems: [],
          }),
      };
      const request: ConvergeRequest = {
        selection: { cluster: 'lab', service: undefined, instances: [], deployGroup: undefined, ...selection },
        mode: 'apply',
        adopt: false,
        timeout: 60_000,
        soa: loadSoaConfigs(memoryTree(self.files), config),
        system: config,
        options: { pinDigest: self.digests !== undefined, preStop: 'native' },
        ...more,
      };
      return converge(request, { cluster, versions, digests: self.digests, log, clock: systemClock, signal: abort.signal });
    },
  };
  return self;
}
export const refusal = (status: number, message: string): UserError =>
  Object.assign(new UserError(problem(status === 403 ? 'CLUSTER_FORBIDDEN' : 'REFUSED', message)), { status });
