/**
 * Objects that PaaSTA's own code rendered (vectors of the conformance slice), written as its client writes them: created, then replaced
 * whole. They are left alone; with `adopt` they are taken over, without a restart wherever the pods are the same.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { KubeObject } from '../../src/shared/objects/types.ts';
import { createScene, type Scene } from '../support/deploy-scene.ts';
import type { BundleRun } from '../support/runner.ts';
import { auditCounts, auditMark, type AuditMark, startCluster, type Cluster } from '../testbed/index.ts';

interface Vector {
  readonly id: string;
  readonly input: {
    readonly service: string;
    readonly instance: string;
    readonly cluster: string;
    readonly files: Readonly<Record<string, string>>;
    readonly system: Readonly<Record<string, unknown>>;
    readonly live: { readonly configmaps: Readonly<Record<string, string>> };
  };
  readonly expected: { readonly config_sha?: string } & Readonly<
    Record<'app' | 'pdb' | 'hpa' | 'service_account', (Partial<KubeObject> & { readonly error?: string }) | null | undefined>
  >;
}

/** Field manager of the python client that PaaSTA writes with. */
const CLIENT = 'OpenAPI-Generator';
const KINDS = {
  app: ['apps/v1', 'Deployment'],
  pdb: ['policy/v1', 'PodDisruptionBudget'],
  hpa: ['autoscaling/v2', 'HorizontalPodAutoscaler'],
  service_account: ['v1', 'ServiceAccount'],
} as const;

const VECTORS = gunzipSync(readFileSync(new URL('../fixtures/conformance/objects.jsonl.gz', import.meta.url)))
  .toString('utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Vector);
const vector = (id: string): Vector => VECTORS.find((one) => one.id === id) as Vector;

/** What PaaSTA has in the cluster for a vector, its hash label as PaaSTA computed it. */
function objectsOf({ expected }: Vector): readonly KubeObject[] {
  return (['service_account', 'app', 'pdb', 'hpa'] as const).flatMap((part) => {
    const object = expected[part];
    if (object === null || object === undefined || object.error !== undefined) return [];
    const [apiVersion, kind] = KINDS[part];
    const text = JSON.stringify({ ...object, apiVersion, kind: part === 'app' ? object.kind : kind }).replaceAll(
      'CONFIG_SHA',
      expected.config_sha ?? '',
    );
    return [JSON.parse(text) as KubeObject];
  });
}

describe('adoption of what PaaSTA made', () => {
  let cluster: Cluster;
  const scenes: Scene[] = [];
  beforeAll(async () => {
    cluster = await startCluster({ name: `adopt-${process.pid}`, log: () => undefined });
    await cluster.must(['label', 'nodes', '--all', '--overwrite', 'yelp.com/pool=default']);
  });
  afterAll(async () => {
    for (const scene of scenes) scene.remove();
    await cluster.stop();
  });

  /** The vector's files on disk, its objects in the cluster; a deploy of its instance. */
  async function world(
    id: string,
    change: (objects: readonly KubeObject[]) => readonly KubeObject[] = (objects) => objects,
  ): Promise<{
    readonly deploy: (inputs?: Readonly<Record<string, string>>) => Promise<BundleRun>;
    readonly objects: readonly KubeObject[];
    readonly namespace: string;
    readonly name: string;
    readonly scene: Scene;
  }> {
    const { input, ...rest } = vector(id);
    const scene = createScene(cluster, input.cluster);
    scenes.push(scene);
    scene.system({ pre_stop: 'exec', ...input.system });
    for (const [path, text] of Object.entries(input.files)) scene.write(path, text);
    const objects = change(objectsOf({ id, input, expected: rest.expected }));
    const workload = objects.find((o) => o.kind === 'Deployment' || o.kind === 'StatefulSet') as KubeObject;
    const namespace = workload.metadata.namespace ?? '';
    // Every vector has a cluster name of its own, and several share a namespace.
    await cluster.kubectl(['delete', 'configmap', '-n', 'paasta', 'paasta-cluster', '--ignore-not-found']);
    await cluster.kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--wait=true', '--timeout=60s']);
    await cluster.must(['create', '-f', '-'], {
      input: JSON.stringify({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: namespace, labels: { name: namespace, 'paasta.yelp.com/managed': 'true' } },
      }),
    });
    const settings = Object.entries(input.live.configmaps).map(([name, signature]) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace },
      data: { signature },
    }));
    const list = (items: readonly object[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    if (settings.length > 0) await cluster.must(['create', '-f', '-'], { input: list(settings) });
    await cluster.must(['create', `--field-manager=${CLIENT}`, '-f', '-'], { input: list(objects) });
    // Controllers write to what is new, and kubectl's PUT is refused for a version that is not the last one.
    for (const object of objects)
      for (
        let tries = 0;
        (await cluster.kubectl(['replace', `--field-manager=${CLIENT}`, '-f', '-'], { input: JSON.stringify(object) })).exitCode !== 0;
        tries += 1
      )
        if (tries > 10) throw new Error(`${object.kind} cannot be replaced`);
    const deploy = (inputs: Readonly<Record<string, string>> = {}): Promise<BundleRun> =>
      scene.deploy({ service: input.service, instance: input.instance, ...inputs });
    return { deploy, objects, namespace, name: workload.metadata.name, scene };
  }

  const writes = (from: AuditMark): readonly string[] => auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written;
  const live = async (namespace: string, what: string): Promise<readonly KubeObject[]> =>
    (JSON.parse(await cluster.must(['-n', namespace, 'get', what, '-o', 'json'])) as { items: KubeObject[] }).items;
  /** What a restart would change: generations of pod templates, ReplicaSets, pods. */
  const bodies = async (namespace: string): Promise<unknown> => ({
    templates: (await live(namespace, 'deployments')).map((o) => [o.metadata.name, o.spec?.['template'], o.spec?.['replicas']]),
    sets: (await live(namespace, 'replicasets')).map((o) => o.metadata.uid),
    pods: (await live(namespace, 'pods')).map((o) => o.metadata.uid).sort(),
  });

  it.each([
    ['a Deployment of ten pods', 'objects-1-00048', undefined],
    ['one that is stopped', 'objects-1-00029', undefined],
    ['an autoscaled one whose autoscaler had raised it', 'objects-1-00066', 3],
  ])('%s is left alone, then taken over without a restart, then nothing is to be done', async (_, id, replicas) => {
    const w = await world(id, (objects) =>
      objects.map((o) =>
        replicas === undefined
          ? o
          : o.kind === 'Deployment'
            ? { ...o, spec: { ...o.spec, replicas } }
            : o.kind === 'HorizontalPodAutoscaler'
              ? { ...o, spec: { ...o.spec, maxReplicas: 4 } }
              : o,
      ),
    );
    // The vector's own upper bound leaves nothing to raise.
    if (replicas !== undefined)
      w.scene.write(
        'search_indexer/kubernetes-pnw-stagea.yaml',
        (vector(id).input.files['search_indexer/kubernetes-pnw-stagea.yaml'] ?? '').replace('max_instances: 1', 'max_instances: 4'),
      );
    // The account that the instance names itself.
    const named = (w.objects.find((o) => o.kind === 'Deployment')?.spec?.['template'] as { spec: { serviceAccountName?: string } }).spec
      .serviceAccountName;
    if (named !== undefined && !w.objects.some((o) => o.kind === 'ServiceAccount'))
      await cluster.must(['-n', w.namespace, 'create', 'serviceaccount', named]);
    const title = `${w.namespace}/${w.name}`;
    if (Number(w.objects.find((o) => o.kind === 'Deployment')?.spec?.['replicas']) > 0)
      await cluster.must(['-n', w.namespace, 'rollout', 'status', `deployment/${w.name}`, '--timeout=60s']);
    const before = await bodies(w.namespace);

    const from = auditMark(cluster.auditLogPath);
    const alone = await w.deploy();
    expect(alone.text).toContain(`Deployment ${title} exists and was made by PaaSTA, not by us: it is left as it is`);
    expect(alone.text).toContain('set adopt: true to take it over (the plan then says what bounces), or remove it');
    expect(alone.code).toBe(1);
    expect(writes(from).filter((line) => line.includes(w.namespace))).toEqual([]);
    expect(await bodies(w.namespace)).toEqual(before);

    const adopted = await w.deploy({ adopt: 'true' });
    expect(adopted.text).toContain('adopt from PaaSTA');
    expect(adopted.text).toContain('no pod is touched');
    expect(adopted.text).not.toMatch(/bounces \d+ pod/);
    expect(adopted.code).toBe(0);
    expect(await bodies(w.namespace)).toEqual(before);
    for (const { kind } of w.objects)
      expect(
        (await live(w.namespace, kind))
          .filter((o) => w.objects.some((made) => made.kind === kind && made.metadata.name === o.metadata.name))
          .map((o) => o.metadata.labels?.['app.kubernetes.io/managed-by']),
      ).toEqual(['paasta-actions']);

    const again = auditMark(cluster.auditLogPath);
    const third = await w.deploy();
    expect(third.text).toContain('nothing to do');
    expect(third.outputs['changed']).toBe('false');
    expect(third.code).toBe(0);
    expect(writes(again)).toEqual([]);
  });

  it('where the pods differ, the plan says what bounces, and it does', async () => {
    const w = await world('objects-1-00048', (objects) =>
      objects.map((o) => {
        if (o.kind !== 'Deployment') return o;
        const template = o.spec?.['template'] as { metadata: KubeObject['metadata']; spec: Record<string, unknown> };
        return {
          ...o,
          spec: {
            ...o.spec,
            template: {
              ...template,
              metadata: { ...template.metadata, annotations: { ...template.metadata.annotations, 'added.by/an-older-paasta': 'yes' } },
            },
          },
        };
      }),
    );
    await cluster.must(['-n', w.namespace, 'rollout', 'status', `deployment/${w.name}`, '--timeout=60s']);
    const plan = await w.deploy({ adopt: 'true', mode: 'plan' });
    expect(plan.text).toMatch(/adopt from PaaSTA.*bounces 10 pods \(crossover\)/);
    const run = await w.deploy({ adopt: 'true' });
    expect(run.code).toBe(0);
    const [deployment] = await live(w.namespace, 'deployments');
    expect((deployment?.spec?.['template'] as { metadata: KubeObject['metadata'] }).metadata.annotations).not.toHaveProperty(
      'added.by/an-older-paasta',
    );
    const again = auditMark(cluster.auditLogPath);
    expect((await w.deploy()).outputs['changed']).toBe('false');
    expect(writes(again)).toEqual([]);
  });

  it('what was adopted without a restart bounces as usual when it changes', async () => {
    const w = await world('objects-1-00048');
    expect((await w.deploy({ adopt: 'true' })).code).toBe(0);
    const { files, service, cluster: name } = vector('objects-1-00048').input;
    const path = `${service}/kubernetes-${name}.yaml`;
    w.scene.write(path, (files[path] ?? '').replace('cpus: 3.7', 'cpus: 3.6'));
    const run = await w.deploy();
    expect(run.text).toMatch(/configuration changed: .*bounces 10 pods \(crossover\)/);
    expect(run.code).toBe(0);
    expect((await live(w.namespace, 'deployments'))[0]?.metadata.annotations).not.toHaveProperty('paasta-actions/adopted-config-hash');
    const again = auditMark(cluster.auditLogPath);
    expect((await w.deploy()).outputs['changed']).toBe('false');
    expect(writes(again)).toEqual([]);
  });
});
