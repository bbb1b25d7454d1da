/** What is kept of pods and ReplicaSets: there are thousands of them. */
import { lean } from '../../../src/shared/kubernetes/lean.ts';
import type { KubeObject } from '../../../src/shared/objects/types.ts';

const managedFields = [{ manager: 'kubelet', operation: 'Update' }];

describe('what is kept of objects that are only looked at', () => {
  const container = {
    name: 'main',
    image: 'registry/web:1',
    ports: [{ containerPort: 8888 }],
    readinessProbe: { httpGet: { path: '/status', port: 8888 } },
    lifecycle: { preStop: { sleep: { seconds: 5 } } },
    resources: { limits: { memory: '32Mi' } },
  };
  const given = { env: [{ name: 'A', value: 'b' }], envFrom: [], volumeMounts: [{ name: 'v' }], securityContext: { capabilities: {} } };
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-1', namespace: 'd', labels: { a: 'b' }, managedFields },
    spec: {
      nodeName: 'n',
      terminationGracePeriodSeconds: 30,
      containers: [{ ...container, ...given }],
      initContainers: [{ ...container, name: 'init', ...given }],
      volumes: [{ name: 'v' }],
      tolerations: [{ key: 'k' }],
    },
    status: { phase: 'Running' },
  };

  it('is of a pod everything that explains how it is', () => {
    const before = structuredClone(pod);
    expect(lean(pod)).toEqual({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-1', namespace: 'd', labels: { a: 'b' } },
      spec: { nodeName: 'n', terminationGracePeriodSeconds: 30, containers: [container], initContainers: [{ ...container, name: 'init' }] },
      status: { phase: 'Running' },
    });
    expect(pod).toEqual(before);
  });

  it('is of a ReplicaSet its counts and the labels of its pods', () => {
    const set: KubeObject = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'web-1', managedFields },
      spec: { replicas: 2, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [container] } } },
      status: { replicas: 2 },
    };
    expect(lean(set)).toEqual({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'web-1' },
      spec: { replicas: 2, template: { metadata: { labels: { a: 'b' } }, spec: {} } },
      status: { replicas: 2 },
    });
  });

  it('is of a sparse object what it has', () => {
    const bare = (kind: string): KubeObject => ({ apiVersion: 'v1', kind, metadata: { name: 'x' } });
    for (const kind of ['Pod', 'ReplicaSet', 'Event']) expect(lean(bare(kind))).toEqual(bare(kind));
    for (const kind of ['Pod', 'ReplicaSet']) expect(lean({ ...bare(kind), spec: {} })).toEqual({ ...bare(kind), spec: {} });
  });

  it('is everything of what we write: its owners are part of the plan', () => {
    const deployment: KubeObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', managedFields }, spec: {} };
    expect(lean(deployment)).toBe(deployment);
  });
});
