import { abandoned, differences, ownersOf, sameQuantity } from '../../../src/shared/plan/index.ts';
import type { KubeObject } from '../../../src/shared/objects/types.ts';

const pod = (container: object, extra: object = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'x', labels: { a: 'b' } },
  spec: { template: { spec: { containers: [{ name: 'main', ...container }] } }, ...extra },
});

describe('a live object holds what we want', () => {
  it.each<[string, KubeObject, KubeObject, string[]]>([
    [
      'defaults that the server adds are no difference',
      pod({ image: 'i' }),
      pod({ image: 'i', terminationMessagePath: '/dev/log' }, { progressDeadlineSeconds: 600 }),
      [],
    ],
    [
      'a rewritten quantity is none',
      pod({ resources: { limits: { memory: '1024Mi', cpu: '0.5' } } }),
      pod({ resources: { limits: { memory: '1Gi', cpu: '500m' } } }),
      [],
    ],
    [
      'an equal-looking text elsewhere is one',
      pod({ env: [{ name: 'SIZE', value: '1024Mi' }] }),
      pod({ env: [{ name: 'SIZE', value: '1Gi' }] }),
      ['spec.template.spec.containers[main].env[SIZE].value'],
    ],
    [
      'order of keyed lists does not matter',
      pod({
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
      }),
      pod({
        env: [
          { name: 'B', value: '2' },
          { name: 'A', value: '1' },
        ],
      }),
      [],
    ],
    [
      'order of plain lists does',
      pod({ args: ['a', 'b'] }),
      pod({ args: ['b', 'a'] }),
      ['spec.template.spec.containers[main].args[0]', 'spec.template.spec.containers[main].args[1]'],
    ],
    [
      'a port without protocol is TCP',
      pod({ ports: [{ containerPort: 8888 }] }),
      pod({ ports: [{ containerPort: 8888, protocol: 'TCP' }] }),
      [],
    ],
    ['an element that is gone', pod({ env: [{ name: 'A', value: '1' }] }), pod({}), ['spec.template.spec.containers[main].env']],
    [
      'zero values are left out by the server',
      pod({ env: [{ name: 'A', value: '' }] }, { minReadySeconds: 0 }),
      pod({ env: [{ name: 'A' }] }),
      [],
    ],
    ['a label', pod({}), { ...pod({}), metadata: { name: 'x', labels: { a: 'c' } } }, ['metadata.labels.a']],
    [
      'one more label of a selector, which selects less',
      pod({}, { selector: { matchLabels: { a: 'b' } } }),
      pod({}, { selector: { matchLabels: { a: 'b', c: 'd' } } }),
      ['spec.selector.matchLabels.c'],
    ],
    ['an empty map wants nothing', pod({ securityContext: {} }), pod({}), []],
  ])('%s', (_, ours, live, expected) => {
    expect(differences(ours, live)).toEqual(expected);
  });

  it.each([
    ['0.1', '100m', true],
    ['1e3', '1k', true],
    ['1Gi', '1G', false],
    [1, '1', true],
    ['x', '1', false],
    ['1536Mi', '1.5Gi', true],
  ])('quantity %s and %s: %s', (a, b, same) => {
    expect(sameQuantity(a, b)).toBe(same);
  });
});

describe('ownership of fields', () => {
  const live: KubeObject = {
    ...pod({ image: 'i', env: [{ name: 'OLD', value: '1' }] }),
    metadata: {
      name: 'x',
      labels: { a: 'b', gone: '1' },
      managedFields: [
        {
          manager: 'paasta',
          operation: 'Apply',
          fieldsV1: {
            'f:metadata': { 'f:labels': { 'f:a': {}, 'f:gone': {} } },
            'f:spec': {
              'f:template': {
                'f:spec': {
                  'f:containers': {
                    'k:{"name":"main"}': {
                      '.': {},
                      'f:image': {},
                      'f:env': { 'k:{"name":"OLD"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
                    },
                  },
                },
              },
            },
          },
        },
        {
          manager: 'kubectl-edit',
          operation: 'Update',
          fieldsV1: { 'f:spec': { 'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"main"}': { 'f:image': {} } } } } } },
        },
      ],
    },
  };

  it('finds what we hold and do not want any more: the next apply removes it', () => {
    expect(abandoned(pod({ image: 'i' }), live, 'paasta')).toEqual(['metadata.labels.gone', 'spec.template.spec.containers[main].env']);
    expect(abandoned(pod({ image: 'i', env: [{ name: 'NEW', value: '1' }] }), live, 'paasta')).toEqual([
      'metadata.labels.gone',
      'spec.template.spec.containers[main].env[OLD]',
    ]);
  });

  it('finds what is abandoned by every sort of ownership entry, and nothing where all is wanted or gone already', () => {
    const container = {
      ports: [
        { containerPort: 80, protocol: 'TCP' },
        { containerPort: 80, protocol: 'UDP' },
      ],
    };
    const entry = {
      manager: 'paasta',
      operation: 'Apply',
      fieldsV1: {
        'f:metadata': { 'f:finalizers': { '.': {}, 'v:"keep"': {}, 'v:"gone"': {} } },
        'f:spec': {
          'f:template': {
            'f:spec': {
              'f:containers': {
                'k:{"name":"main"}': {
                  '.': {},
                  'f:name': {},
                  'f:ports': {
                    'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} },
                    'k:{"containerPort":80,"protocol":"UDP"}': { '.': {}, 'f:containerPort': {} },
                    'k:{"containerPort":81,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} },
                  },
                },
              },
            },
          },
        },
      },
    };
    const held = pod(container);
    const metadata = { ...held.metadata, finalizers: ['keep', 'gone'], managedFields: [entry] };
    const wanted = (ports: object[], finalizers: string[]): KubeObject => {
      const made = pod({ ports });
      return { ...made, metadata: { ...made.metadata, finalizers } as KubeObject['metadata'] };
    };
    const live = { ...held, metadata: metadata as KubeObject['metadata'] };
    // The server's default of a key that we leave out is no other element.
    expect(abandoned(wanted([{ containerPort: 80 }, { containerPort: 80, protocol: 'UDP' }], ['keep', 'gone']), live, 'paasta')).toEqual(
      [],
    );
    expect(abandoned(wanted([{ containerPort: 80 }], ['keep']), live, 'paasta')).toEqual([
      'metadata.finalizers[gone]',
      'spec.template.spec.containers[main].ports[80,UDP]',
    ]);
    expect(abandoned(pod({ image: 'i' }), live, 'another')).toEqual([]);
  });

  it('names who else holds a field', () => {
    expect([...ownersOf(['spec.template.spec.containers[main].image', 'metadata.labels.a'], live, 'paasta')]).toEqual([
      ['spec.template.spec.containers[main].image', { manager: 'kubectl-edit', operation: 'Update' }],
    ]);
  });
});
