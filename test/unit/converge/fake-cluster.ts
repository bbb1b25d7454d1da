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
  /** Called after every apply; the default makes Deployments ready. */
  onApply: (object: KubeObject) => void;
  /** Status of a refusal by `verb kind`. */
  readonly refused: Map<string, Error>;
}

export function readyDeployment(object: KubeObject): KubeObject {
  const replicas = (object.spec?.['replicas'] as number | undefined) ?? 1;
  return { ...object, status: { observedGeneration: object.metadata.generation ?? 1, replicas, updatedReplicas: replicas, readyReplicas: replicas, availableReplicas: replicas, conditions: [{ type: 'Available', status: 'True' }, { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' }] } };
}

export function podsOf(deployment: KubeObject, count: number): KubeObject[] {
  const template = deployment.spec?.['template'] as { metadata: { labels: Record<string, string> }; spec: { containers: { name: string; image: string }[] } };
  return Array.from({ length: count }, (_, i) => ({
    apiVersion: 'v1', kind: 'Pod',
    metadata: { name: `${deployment.metadata.name}-${i}`, namespace: deployment.metadata.namespace as string, uid: `${deployment.metadata.name}-${i}-${template.metadata.labels['paasta.yelp.com/config_sha'] ?? ''}`, labels: template.metadata.labels },
    spec: { containers: template.spec.containers },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], containerStatuses: template.spec.containers.map((c) => ({ name: c.name, ready: true, restartCount: 0, image: c.image, imageID: c.image, state: { running: {} } })) },
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
    onApply(object) {
      if (object.kind !== 'Deployment') return;
      cluster.tell(readyDeployment(object));
      for (const pod of podsOf(object, (object.spec?.['replicas'] as number | undefined) ?? 1)) cluster.tell(pod);
    },
    async list(kind: Kind, _options?: Listing) {
      refuse('list', kind.kind);
      return { items: [...objects.values()].filter((o) => o.kind === kind.kind), resourceVersion: String(version) };
    },
    async get(kind, namespace, name) {
      refuse('get', kind.kind);
      return objects.get(`${kind.kind}/${kind.namespaced ? (namespace ?? '') : ''}/${name}`);
    },
    async apply(object): Promise<Applied> {
      refuse('patch', object.kind);
      written.push(`${object.kind} ${object.metadata.name}`);
      const before = objects.get(objectKey(object));
      const stored: KubeObject = { ...before, ...structuredClone(object), metadata: { ...structuredClone(object.metadata), uid: `uid-${object.metadata.name}`, generation: (before?.metadata.generation ?? 0) + 1, resourceVersion: String(++version) } };
      objects.set(objectKey(stored), stored);
      setTimeout(() => { cluster.onApply(stored); }, 5);
      return { outcome: 'applied', object: stored, created: before === undefined, warnings: [] };
    },
    patch: async (object) => object,
    async *watch(kind, { signal }) {
      const queue: Change[] = [];
      let wake: (() => void) | undefined;
      const feed: Feed = (change) => { queue.push(change); wake?.(); };
      const set = feeds.get(kind.kind) ?? new Set();
      feeds.set(kind.kind, set.add(feed));
      signal.addEventListener('abort', () => wake?.());
      while (!signal.aborted) {
        const next = queue.shift();
        if (next !== undefined) yield next;
        else await new Promise<void>((resolve) => { wake = resolve; });
      }
      set.delete(feed);
    },
    logs: async () => 'one\ntwo\n',
  };
  return cluster;
}
