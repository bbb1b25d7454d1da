import { UserError, problem } from '../../../src/shared/contract/errors.ts';
import { converge, type ConvergeRequest, type DigestSource, type VersionSource } from '../../../src/shared/converge/index.ts';
import type { KubeObject } from '../../../src/shared/objects/types.ts';
import { loadSoaConfigs, systemConfigOf, type Value } from '../../../src/shared/soa-configs/index.ts';
import { systemClock } from '../../../src/shared/runtime/clock.ts';
import { memoryTree } from '../../support/memory-tree.ts';
import { recordingLog, type RecordingLog } from '../../support/recording.ts';
import { fakeCluster, podsOf, readyDeployment, type FakeCluster } from './fake-cluster.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const instance = '{cpus: 0.1, mem: 64, instances: 2, deploy_group: prod, cmd: serve}';
const FILES = { 'web/kubernetes-lab.yaml': `main: ${instance}\n`, 'web/deploy.yaml': 'pipeline:\n- step: prod\n' };
const kubeSystem: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system', uid: 'the-uid' } };

interface World {
  readonly cluster: FakeCluster;
  readonly log: RecordingLog;
  run(version: string | undefined, more?: Partial<ConvergeRequest>, selection?: Partial<ConvergeRequest['selection']>): ReturnType<typeof converge>;
  readonly abort: AbortController;
  digests: DigestSource | undefined;
}

function world(files: Readonly<Record<string, string>> = FILES, start: readonly KubeObject[] = [kubeSystem], system: Record<string, Value> = {}): World {
  const cluster = fakeCluster(start);
  const log = recordingLog();
  const abort = new AbortController();
  const config = systemConfigOf({ clusters: ['lab', 'west'], docker_registry: 'registry.invalid', volumes: [], ...system });
  const self: World = {
    cluster,
    log,
    abort,
    digests: undefined,
    run: (version, more = {}, selection = {}) => {
      const versions: VersionSource = { deployments: (service) => Promise.resolve({ service, source: 'test', version: () => (version === undefined ? undefined : { sha: version, imageVersion: null, dockerImage: `services-${service}:paasta-${version}` }), control: () => ({ desiredState: 'start', forceBounce: null }), problems: [] }) };
      const request: ConvergeRequest = {
        selection: { cluster: 'lab', service: undefined, instances: [], deployGroup: undefined, ...selection },
        mode: 'apply', adopt: false, timeout: 3_000, soa: loadSoaConfigs(memoryTree(files), config), system: config, options: { pinDigest: self.digests !== undefined, preStop: 'native' }, ...more,
      };
      return converge(request, { cluster, versions, digests: self.digests, log, clock: systemClock, signal: abort.signal });
    },
  };
  return self;
}
const refusal = (status: number, message: string): UserError => Object.assign(new UserError(problem(status === 403 ? 'CLUSTER_FORBIDDEN' : 'REFUSED', message)), { status });

describe('converge', () => {
  it('writes namespaces first, proves what it wrote, and writes nothing the second time', async () => {
    const w = world();
    const first = await w.run(A);
    expect(first.instances).toMatchObject([{ state: 'deployed', action: 'create', ready: 2, wanted: 2 }]);
    expect(w.cluster.written[0]).toBe('Namespace paastasvc-web');
    expect(w.cluster.written.at(-1)).toBe('Deployment web-main');
    expect(w.cluster.objects.get('ConfigMap/paasta/paasta-cluster')?.['data']).toEqual({ cluster: 'lab', identity: 'the-uid' });
    w.cluster.written.length = 0;
    const second = await w.run(A);
    expect(second.instances).toMatchObject([{ state: 'unchanged', action: 'unchanged' }]);
    expect(w.cluster.written).toEqual([]);
  });

  it('plans without writing', async () => {
    const w = world();
    const result = await w.run(A, { mode: 'plan' });
    expect(result.instances).toMatchObject([{ state: 'planned', action: 'create' }]);
    expect(w.cluster.written).toEqual([]);
  });

  it('waits in mode wait for a bounce that another run makes, and writes nothing', async () => {
    const w = world();
    await w.run(A);
    w.cluster.written.length = 0;
    const waiting = w.run(B, { mode: 'wait' });
    setTimeout(() => void w.run(B), 150);
    const result = await waiting;
    expect(w.log.lines).toContain('info web.main: 0/2 ready, waiting for the bounce to begin (version aaaaaaaa is there)');
    expect(result.instances).toMatchObject([{ state: 'unchanged' }]);
  });

  it('ends as superseded, not as failed, when a newer version takes the place', async () => {
    const w = world();
    w.cluster.onApply = (object) => {
      if (object.kind !== 'Deployment') return;
      const newer = structuredClone(object);
      (newer.metadata.labels as Record<string, string>)['paasta.yelp.com/git_sha'] = B;
      newer.metadata.generation = 9;
      w.cluster.tell(readyDeployment(newer));
    };
    const result = await w.run(A);
    expect(result.instances).toMatchObject([{ state: 'superseded', supersededBy: 'version bbbbbbbb' }]);
  });

  it('says what it waited for when the time is over', async () => {
    const w = world();
    w.cluster.onApply = () => undefined;
    const result = await w.run(A, { timeout: 300 });
    expect(result.instances).toMatchObject([{ state: 'timeout', diagnosis: { code: 'TIMEOUT', cause: expect.stringContaining('not done after 300 ms: still waiting for') as string } }]);
  });

  it('reports what was reached when it is cancelled', async () => {
    const w = world();
    w.cluster.onApply = () => { w.abort.abort(); };
    const result = await w.run(A);
    expect(result.cancelled).toBe(true);
    expect(result.instances).toMatchObject([{ state: 'cancelled' }]);
  });

  it('a broken instance and a refused kind hold back no other instance', async () => {
    const w = world({ ...FILES, 'web/kubernetes-lab.yaml': `main: ${instance}\nbroken: {cpus: lots, deploy_group: prod}\n` });
    w.cluster.refused.set('patch PodDisruptionBudget', refusal(403, 'may not patch poddisruptionbudgets'));
    const result = await w.run(A);
    expect(result.instances.map((i) => [i.instance, i.state])).toEqual([['broken', 'failed'], ['main', 'deployed']]);
    expect(result.instances[0]?.problems[0]).toMatchObject({ file: 'web/kubernetes-lab.yaml', line: 2 });
    expect(result.instances[1]?.problems).toMatchObject([{ code: 'CLUSTER_FORBIDDEN' }]);
  });

  it('says so when pods may not be read, instead of waiting for them', async () => {
    const w = world();
    w.cluster.refused.set('list Pod', refusal(403, 'may not list pods'));
    const result = await w.run(A);
    expect(result.instances).toMatchObject([{ state: 'failed', problems: [{ message: 'may not list pods' }] }]);
    expect(w.cluster.written).toContain('Deployment web-main');
  });

  it('refuses a cluster by its identity and by its record, before anything is written', async () => {
    const byIdentity = world(FILES, [kubeSystem], { kube_clusters: { lab: { identity: 'another' } } });
    await expect(byIdentity.run(A)).rejects.toThrow("is not cluster 'lab': its identity is the-uid, expected another");
    const record: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'paasta-cluster', namespace: 'paasta' }, data: { cluster: 'west' } };
    const byRecord = world(FILES, [kubeSystem, record]);
    await expect(byRecord.run(A)).rejects.toThrow("is cluster 'west', not 'lab'");
    expect([...byIdentity.cluster.written, ...byRecord.cluster.written]).toEqual([]);
  });

  it('asks the registry once for a new version and not at all for an unchanged one', async () => {
    const w = world();
    const asked: string[] = [];
    w.digests = { resolveDigest: (reference) => { asked.push(reference); return Promise.resolve(`sha256:${'1'.repeat(64)}`); } };
    expect((await w.run(A)).instances[0]?.image).toBe(`registry.invalid/services-web:paasta-${A}@sha256:${'1'.repeat(64)}`);
    await w.run(A);
    expect(asked).toEqual([`registry.invalid/services-web:paasta-${A}`]);
  });

  it("accepts a node that reports the digest of an index's member, and reports any other as unproven", async () => {
    const [index, member] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`];
    for (const [members, expected] of [[[member], []], [[], ['IMAGE_UNPROVEN']]] as const) {
      const w = world();
      w.digests = { resolveDigest: () => Promise.resolve(index), members: () => Promise.resolve(members) };
      w.cluster.onApply = (object) => {
        if (object.kind !== 'Deployment') return;
        // The node runs the member and says so.
        for (const pod of podsOf(object, 2)) {
          const status = pod.status as { containerStatuses: { imageID: string }[] };
          for (const container of status.containerStatuses) container.imageID = `registry.invalid/x@${member}`;
          w.cluster.tell(pod);
        }
        w.cluster.tell(readyDeployment(object));
      };
      const result = await w.run(A);
      expect(result.instances[0]?.state).toBe('deployed');
      expect(result.instances[0]?.problems.map((p) => p.code)).toEqual(expected);
    }
  });

  it('writes nothing for an image that is not in the registry', async () => {
    const w = world();
    w.digests = { resolveDigest: () => Promise.resolve(undefined) };
    const result = await w.run(A);
    expect(result.instances).toMatchObject([{ state: 'failed', problems: [{ code: 'IMAGE_NOT_FOUND', message: expect.stringContaining('is not in the registry; deploy group prod is marked for it') as string }] }]);
    expect(w.cluster.written).not.toContain('Deployment web-main');
  });

  it('knows near names of everything that can be misspelled', async () => {
    const w = world();
    await expect(w.run(A, {}, { service: 'wbe' })).rejects.toThrow("did you mean 'web'?");
    await expect(w.run(A, {}, { cluster: 'lba' })).rejects.toThrow("did you mean 'lab'?");
    await expect(w.run(A, {}, { service: 'web', instances: ['mian'], deployGroup: 'prdo' })).rejects.toThrow(/did you mean 'main'\?[^]*did you mean 'prod'\?/);
  });

  it('an unmarked group is an error when it was asked for, and skipped when everything was', async () => {
    const w = world();
    expect((await w.run(undefined)).instances).toMatchObject([{ state: 'not-marked' }]);
    expect((await w.run(undefined, {}, { deployGroup: 'prod' })).instances).toMatchObject([{ state: 'failed', problems: [{ code: 'NOT_MARKED' }] }]);
  });

  it('deletes nothing when soa-configs are empty', async () => {
    const w = world();
    await w.run(A);
    w.cluster.written.length = 0;
    const empty = world({}, [...w.cluster.objects.values()]);
    expect((await empty.run(A)).instances).toEqual([]);
    expect(empty.cluster.written).toEqual([]);
  });
});
