/** A cluster in memory whose Deployments do at once what they are told, or what a test says. */
import type { Applied, Change, ClusterAccess, Listing } from '../../../src/shared/converge/index.ts';
import type { Kind, KubeObject } from '../../../src/shared/objects/types.ts';
import { objectKey } from '../../../src/shared/plan/index.ts';

type Feed = (change: Change) => void;

export interface FakeCluster extends ClusterAccess {
  readonly objects: Map<string, KubeObject>;
  readonly written: string[];
  /** Sends a change to the watches of its kind. */
  tell(object: KubeObject): void;
  /** Takes an object away, and tells the watches. */
  drop(object: KubeObject): void;
  /** Called after every apply; the default makes Deployments ready. */
  onApply: (object: KubeObject) => void;
  /** Refusals by `verb kind`; `list-all`: of the cluster as a whole, `list-<namespace>`: there. */
  readonly refused: Map<string, Error>;
}

export function readyDeployment(object: KubeObject): KubeObject {
  const replicas = (object.spec?.['replicas'] as number | undefined) ?? 1;
  return {
    ...object,
    status: {
      observedGeneration: object.metadata.generation ?? 1,
      replicas,
      updatedReplicas: replicas,
      readyReplicas: replicas,
      availableReplicas: replicas,
      terminatingReplicas: 0,
      conditions: [
        { type: 'Available', status: 'True' },
        { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' },
      ],
    },
  };
}

export function podsOf(deployment: KubeObject, count: number): KubeObject[] {
  const template = deployment.spec?.['template'] as {
    metadata: { labels: Record<string, string> };
    spec: { containers: { name: string; image: string }[] };
  };
  return Array.from({ length: count }, (_, i) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${deployment.metadata.name}-${i}`,
      namespace: deployment.metadata.namespace as string,
      uid: `${deployment.metadata.name}-${i}-${template.metadata.labels['paasta.yelp.com/config_sha'] ?? ''}`,
      labels: template.metadata.labels,
    },
    spec: { containers: template.spec.containers },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: template.spec.containers.map((c) => ({
        name: c.name,
        ready: true,
        restartCount: 0,
        image: c.image,
        imageID: c.image,
        state: { running: {} },
      })),
    },
  }));
}

export function fakeCluster(start: readonly KubeObject[] = []): FakeCluster {
  const objects = new Map(start.map((o) => [objectKey(o), o]));
  const feeds = new Map<string, Set<Feed>>();
  const written: string[] = [];
  const refused = new Map<string, Error>();
  let version = 100;
  const refuse = (verb: string, kind: string): void => {
    const error = refused.get(`${verb} ${kind}`);
    if (error !== undefined) throw error;
  };
  const cluster: FakeCluster = {
    objects,
    written,
    refused,
    target: { server: 'https://cluster.invalid', context: 'lab' },
    requests: { reads: 0, writes: 0 },
    tell(object) {
      const stamped = { ...object, metadata: { ...object.metadata, resourceVersion: String(++version) } };
      const before = objects.get(objectKey(stamped));
      objects.set(objectKey(stamped), stamped);
      const replaced = before !== undefined && before.metadata.uid !== stamped.metadata.uid ? before : undefined;
      for (const feed of feeds.get(object.kind) ?? []) {
        if (replaced !== undefined) feed({ type: 'gone', object: replaced });
        feed({ type: 'put', object: stamped });
      }
    },
    drop(object) {
      objects.delete(objectKey(object));
      for (const feed of feeds.get(object.kind) ?? []) feed({ type: 'gone', object });
    },
    onApply(object) {
      if (object.kind !== 'Deployment') return;
      cluster.tell(readyDeployment(object));
      for (const pod of podsOf(object, (object.spec?.['replicas'] as number | undefined) ?? 1)) cluster.tell(pod);
    },
    async list(kind: Kind, options: Listing = {}) {
      refuse('list', kind.kind);
      refuse(options.namespace === undefined ? 'list-all' : `list-${options.namespace}`, kind.kind);
      return {
        items: [...objects.values()].filter(
          (o) => o.kind === kind.kind && (options.namespace === undefined || o.metadata.namespace === options.namespace),
        ),
        resourceVersion: String(version),
      };
    },
    async get(kind, namespace, name) {
      refuse('get', kind.kind);
      return objects.get(`${kind.kind}/${kind.namespaced ? (namespace ?? '') : ''}/${name}`);
    },
    async exists(kind, namespace, name) {
      return (await cluster.get(kind, namespace, name)) !== undefined;
    },
    async apply(object, options): Promise<Applied> {
      refuse('patch', object.kind);
      if (options?.dryRun === true) return { outcome: 'applied', object: structuredClone(object), created: false, warnings: [] };
      written.push(`${object.kind} ${object.metadata.name}`);
      const before = objects.get(objectKey(object));
      const own = structuredClone(object);
      const [labels, annotations] = [
        { ...before?.metadata.labels, ...own.metadata.labels },
        { ...before?.metadata.annotations, ...own.metadata.annotations },
      ];
      const stored: KubeObject = {
        ...before,
        ...own,
        ...(own.spec === undefined ? {} : { spec: { ...before?.spec, ...own.spec } }),
        metadata: {
          ...own.metadata,
          labels,
          annotations,
          uid: `uid-${object.metadata.name}`,
          generation: (before?.metadata.generation ?? 0) + 1,
          resourceVersion: String(++version),
        },
      };
      if (stored.kind === 'PodDisruptionBudget') stored.status = { observedGeneration: stored.metadata.generation };
      objects.set(objectKey(stored), stored);
      setTimeout(() => {
        cluster.onApply(stored);
      }, 5);
      return { outcome: 'applied', object: stored, created: before === undefined, warnings: [] };
    },
    async create(object) {
      refuse('create', object.kind);
      return object.kind === 'SelfSubjectRulesReview'
        ? { ...object, status: { resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }], incomplete: false } }
        : { ...object, status: { allowed: true } };
    },
    patch: async (object) => object,
    async delete(kind, namespace, name, options) {
      refuse('delete', kind.kind);
      const key = `${kind.kind}/${kind.namespaced ? (namespace ?? '') : ''}/${name}`;
      const there = objects.get(key);
      if (there === undefined || (options?.uid !== undefined && options.uid !== there.metadata.uid)) return false;
      written.push(`delete ${kind.kind} ${name}`);
      cluster.drop(there);
      return true;
    },
    async *watch(kind, { signal, namespace }) {
      refuse('watch', kind.kind);
      if (namespace === undefined) refuse('list-all', kind.kind);
      const queue: Change[] = [];
      let wake: (() => void) | undefined;
      const feed: Feed = (change) => {
        queue.push(change);
        wake?.();
      };
      const set = feeds.get(kind.kind) ?? new Set();
      feeds.set(kind.kind, set.add(feed));
      signal.addEventListener('abort', () => wake?.());
      while (!signal.aborted) {
        const next = queue.shift();
        if (next !== undefined) yield next;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
      set.delete(feed);
    },
    podRequest: async () => ({ status: undefined, body: 'no pod is here' }),
    logs: async () => 'one\ntwo\n',
  };
  return cluster;
}
