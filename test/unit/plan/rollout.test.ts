/** Which workload an instance gets, which ones are old, and what a plan says about them. */
import type { KubeObject } from '../../../src/shared/objects/types.ts';
import {
  allSteps,
  describeEffect,
  describeReason,
  makePlan,
  objectKey,
  planHash,
  type InstancePlan,
  type Plan,
  type PlanOptions,
} from '../../../src/shared/plan/index.ts';
import type { RenderedInstance } from '../../../src/shared/workload/index.ts';
import { underName } from '../../../src/shared/plan/identity.ts';
import { rendering, SHA, type Given } from '../workload/world.ts';
import { live } from './live.ts';

const [B, C] = ['b'.repeat(40), 'c'.repeat(40)];
const yaml = 'cpus: 0.1\nmem: 64\ninstances: 3\ndeploy_group: prod\ncmd: serve\nbounce_margin_factor: 1';
const of = (more = '', given: Partial<Given> = {}): RenderedInstance =>
  rendering({ service: 'web', yaml: `${yaml}${more === '' ? '' : `\n${more}`}`, system: { supported_storage_classes: ['ebs'] }, ...given });
const UP = 'bounce_method: upthendown';
const VOLUME = 'persistent_volumes: [{container_path: /data, size: 1, mode: RW}]';

function plan(rendered: RenderedInstance, objects: readonly KubeObject[], more: Partial<PlanOptions> = {}): Plan {
  return makePlan(
    [rendered],
    { objects: new Map(objects.map((o) => [objectKey(o), o])) },
    { cluster: 'lab-east', adopt: false, namespaces: [], services: [], ...more },
  );
}
const first = (p: Plan): InstancePlan => p.instances[0] as InstancePlan;
const hex = (rendered: RenderedInstance): string => rendered.configHash.slice('config'.length);
/** The workload of `rendered` in the cluster, under its own name or beside another one. */
function there(rendered: RenderedInstance, name = rendered.name, change: (o: KubeObject) => void = () => undefined): KubeObject {
  const object = live(underName(rendered, name).workload);
  object.metadata.uid = `uid-${object.kind}-${object.metadata.namespace ?? ''}-${name}`;
  object.status = { readyReplicas: 3 };
  change(object);
  return object;
}
const companions = (rendered: RenderedInstance): KubeObject[] => rendered.companions.map((c) => live(c));
const steps = (p: Plan): string[] => allSteps(p).map((s) => `${s.action} ${s.title}`);
const words = (p: Plan): string[] => first(p).reasons.map(describeReason);

describe('upthendown', () => {
  it('puts the new version beside the old one, under a name with the hash that its selector knows', () => {
    const wanted = of(UP, { sha: B });
    const p = plan(wanted, [there(of(UP)), ...companions(wanted)]);
    const name = `web-main-${hex(wanted)}`;
    expect(steps(p)).toEqual([`create Deployment paastasvc-web/${name}`, 'delete Deployment paastasvc-web/web-main']);
    expect(words(p)).toEqual([`new version ${SHA.slice(0, 8)} → bbbbbbbb`, 'side by side: upthendown']);
    expect(describeEffect(first(p))).toBe('bounces 3 pods (upthendown): up to 3 extra, at least 3 serving');
    expect(first(p).rollout).toMatchObject({ kind: 'side-by-side', old: [{ metadata: { name: 'web-main' } }] });
    const spec = first(p).rendered.workload.spec as {
      selector: { matchLabels: Record<string, string> };
      template: { metadata: { labels: Record<string, string> } };
    };
    expect(spec.selector.matchLabels).toEqual({
      'paasta.yelp.com/service': 'web',
      'paasta.yelp.com/instance': 'main',
      'paasta.yelp.com/config_sha': wanted.configHash,
    });
    expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
  });

  it.each<[string, RenderedInstance, KubeObject[], string[]]>([
    ['a newcomer gets the plain name', of(UP), [], ['create Deployment paastasvc-web/web-main']],
    ['what runs already is left alone', of(UP), [there(of(UP))], []],
    ['so is what runs under a name of its own', of(UP, { sha: B }), [there(of(UP, { sha: B }), `web-main-${hex(of(UP, { sha: B }))}`)], []],
    [
      'the plain name is free again for the next version',
      of(UP, { sha: C }),
      [there(of(UP, { sha: B }), `web-main-${hex(of(UP, { sha: B }))}`)],
      ['create Deployment paastasvc-web/web-main', `delete Deployment paastasvc-web/web-main-${hex(of(UP, { sha: B }))}`],
    ],
    [
      'an interrupted bounce goes on with what is there',
      of(UP, { sha: B }),
      [there(of(UP)), there(of(UP, { sha: B }), `web-main-${hex(of(UP, { sha: B }))}`)],
      ['delete Deployment paastasvc-web/web-main'],
    ],
    [
      'newer marks in the meantime: three workloads',
      of(UP, { sha: C }),
      [there(of(UP)), there(of(UP, { sha: B }), `web-main-${hex(of(UP, { sha: B }))}`)],
      [
        `create Deployment paastasvc-web/web-main-${hex(of(UP, { sha: C }))}`,
        'delete Deployment paastasvc-web/web-main',
        `delete Deployment paastasvc-web/web-main-${hex(of(UP, { sha: B }))}`,
      ],
    ],
    [
      'the old mark again: the new one goes',
      of(UP),
      [there(of(UP)), there(of(UP, { sha: B }), `web-main-${hex(of(UP, { sha: B }))}`)],
      [`delete Deployment paastasvc-web/web-main-${hex(of(UP, { sha: B }))}`],
    ],
    [
      'what is being deleted already is not deleted again',
      of(UP, { sha: B }),
      [
        there(of(UP), 'web-main', (o) => {
          o.metadata.deletionTimestamp = 'now';
        }),
        there(of(UP, { sha: B }), `web-main-${hex(of(UP, { sha: B }))}`),
      ],
      [],
    ],
    [
      'a name on its way out is not taken',
      of(UP, { sha: B }),
      [
        there(of(UP), 'web-main', (o) => {
          o.metadata.deletionTimestamp = 'now';
        }),
      ],
      [`create Deployment paastasvc-web/web-main-${hex(of(UP, { sha: B }))}`],
    ],
    [
      'a stopped instance has nothing to put something beside',
      of(UP, { sha: B }),
      [
        there(of(UP), 'web-main', (o) => {
          if (o.spec !== undefined) o.spec['replicas'] = 0;
        }),
      ],
      ['update Deployment paastasvc-web/web-main'],
    ],
    [
      'stopping needs no second workload',
      of(UP, { sha: B, control: { desiredState: 'stop', forceBounce: null } }),
      [there(of(UP))],
      ['update Deployment paastasvc-web/web-main'],
    ],
    [
      'only the count changes: in place',
      of(`${UP}\ninstances: 3`.replace('instances: 3', 'env: {}')),
      [
        there(of(UP), 'web-main', (o) => {
          if (o.spec !== undefined) o.spec['replicas'] = 2;
        }),
      ],
      ['update Deployment paastasvc-web/web-main'],
    ],
    [
      'of a StatefulSet its own controller bounces',
      of(`${UP}\n${VOLUME}`, { sha: B }),
      [there(of(`${UP}\n${VOLUME}`))],
      ['update StatefulSet paastasvc-web/web-main'],
    ],
  ])('%s', (_name, wanted, objects, expected) => {
    expect(steps(plan(wanted, [...objects, ...companions(wanted)]))).toEqual(objects.length === 0 ? expected : expected);
  });

  it('leaves what PaaSTA made alone, and puts ours beside it only when told to adopt', () => {
    const theirs = there(of(UP), 'web-main', (o) => {
      delete o.metadata.labels?.['app.kubernetes.io/managed-by'];
    });
    const wanted = of(UP, { sha: B });
    expect(first(plan(wanted, [theirs, ...companions(wanted)]))).toMatchObject({
      action: 'blocked',
      rollout: { kind: 'native' },
      problems: [{ code: 'NOT_OURS' }],
    });
    expect(steps(plan(wanted, [theirs, ...companions(wanted)], { adopt: true }))).toEqual([
      `create Deployment paastasvc-web/web-main-${hex(wanted)}`,
      'delete Deployment paastasvc-web/web-main',
    ]);
    const elsewhere = there(of(UP), 'web-main', (o) => {
      delete o.metadata.labels?.['app.kubernetes.io/managed-by'];
      o.metadata.namespace = 'theirs';
    });
    expect(steps(plan(wanted, [elsewhere, ...companions(wanted)]))).toEqual(['create Deployment paastasvc-web/web-main']);
  });

  it('has one identity for the same cluster, whatever the server noted on the objects', () => {
    const wanted = of(UP, { sha: B });
    const a = there(of(UP));
    const b = { ...a, metadata: { ...a.metadata, resourceVersion: '99' }, status: {} };
    expect(planHash(plan(wanted, [a]))).toBe(planHash(plan(wanted, [b])));
    expect(planHash(plan(wanted, [a]))).not.toBe(planHash(plan(wanted, [])));
  });
});

describe('a workload that cannot become the wanted one', () => {
  it('another kind', () => {
    const p = plan(of(VOLUME), [there(of()), ...companions(of(VOLUME))]);
    expect(steps(p)).toEqual(['create StatefulSet paastasvc-web/web-main', 'delete Deployment paastasvc-web/web-main']);
    expect(words(p).at(-1)).toBe('side by side: Deployment becomes StatefulSet');
    expect(describeEffect(first(p))).toContain('at least 3 serving');
    expect(steps(plan(of(), [there(of(VOLUME)), ...companions(of())]))).toEqual([
      'create Deployment paastasvc-web/web-main',
      'delete StatefulSet paastasvc-web/web-main',
    ]);
  });

  it('another namespace: what belongs to the old one goes, too', () => {
    const wanted = of('namespace: other');
    const p = plan(wanted, [there(of()), ...companions(of()), ...companions(wanted)]);
    expect(steps(p)).toEqual([
      'create Deployment other/web-main',
      'delete Deployment paastasvc-web/web-main',
      'delete PodDisruptionBudget paastasvc-web/web-main',
    ]);
    expect(words(p)).toEqual(['side by side: moves from namespace paastasvc-web to other']);
  });

  it('volumes do not follow into another namespace', () => {
    const p = plan(of(`${VOLUME}\nnamespace: other`), [there(of(VOLUME))]);
    expect(first(p)).toMatchObject({
      action: 'blocked',
      steps: [],
      problems: [
        { code: 'STATE_CANNOT_MOVE', message: expect.stringContaining('StatefulSet paastasvc-web/web-main has volumes') as string },
      ],
    });
  });

  it('another selector', () => {
    const old = there(of(), 'web-main', (o) => {
      (o.spec as { selector: { matchLabels: Record<string, string> } }).selector.matchLabels['by'] = 'hand';
    });
    const wanted = of('', { sha: B });
    const p = plan(wanted, [old, ...companions(wanted)]);
    expect(steps(p)).toEqual([`create Deployment paastasvc-web/web-main-${hex(wanted)}`, 'delete Deployment paastasvc-web/web-main']);
    expect(words(p)).toContain('side by side: spec.selector cannot be changed in place');
  });

  it('fixed fields of a StatefulSet: it is made anew around its pods', () => {
    const wanted = of(VOLUME.replace('size: 1', 'size: 2'));
    const p = plan(wanted, [there(of(VOLUME)), ...companions(wanted)]);
    expect(allSteps(p)).toMatchObject([{ action: 'update', title: 'StatefulSet paastasvc-web/web-main', recreates: true }]);
    expect(first(p).rollout).toEqual({ kind: 'native' });
    const parallel = of(`${VOLUME}\npod_management_policy: Parallel`);
    expect(allSteps(plan(parallel, [there(of(VOLUME)), ...companions(parallel)]))).toMatchObject([{ recreates: true }]);
  });

  it('downthenup and brutal say what they cost', () => {
    expect(describeEffect(first(plan(of(`${VOLUME}\nbounce_method: downthenup`), [there(of('bounce_method: downthenup'))])))).toBe(
      'bounces 3 pods (downthenup): no extra pods, at least 0 serving',
    );
    expect(describeEffect(first(plan(of('namespace: other\nbounce_method: brutal'), [there(of('bounce_method: brutal'))])))).toBe(
      'bounces 3 pods (brutal): up to 3 extra, at least 0 serving',
    );
  });
});

describe('an autoscaled instance', () => {
  const auto = (more: string, given: Partial<Given> = {}): RenderedInstance =>
    rendering({
      service: 'web',
      yaml: `cpus: 0.1\nmem: 64\nmin_instances: 2\nmax_instances: 8\ndeploy_group: prod\ncmd: serve\n${more}`,
      live: { replicas: 5 },
      ...given,
    });
  const scaled = (o: KubeObject, replicas: number): KubeObject => ({ ...o, spec: { ...o.spec, replicas } });

  it('takes its count and its autoscaler along', () => {
    const wanted = auto(UP, { sha: B });
    const p = plan(wanted, [scaled(there(auto(UP)), 5), ...companions(auto(UP))]);
    expect(steps(p)).toEqual([
      `create Deployment paastasvc-web/web-main-${hex(wanted)}`,
      'update HorizontalPodAutoscaler paastasvc-web/web-main',
      'delete Deployment paastasvc-web/web-main',
    ]);
    expect(allSteps(p)[0]?.scaleTo).toBe(5);
    expect(allSteps(p)[1]?.object.spec?.['scaleTargetRef']).toMatchObject({ name: `web-main-${hex(wanted)}` });
  });

  it('gets its count from the next run when one was killed before it could set it', () => {
    const wanted = auto(UP, { sha: B });
    const fresh = scaled(there(wanted, `web-main-${hex(wanted)}`), 1);
    const p = plan(wanted, [scaled(there(auto(UP)), 5), fresh, ...companions(auto(UP))]);
    expect(allSteps(p)[0]).toMatchObject({ action: 'update', title: `Deployment paastasvc-web/web-main-${hex(wanted)}`, scaleTo: 5 });
  });

  it('loses its autoscaler when it is stopped, and gets it back', () => {
    const stopped = auto('', { control: { desiredState: 'stop', forceBounce: null } });
    const p = plan(stopped, [scaled(there(auto('')), 5), ...companions(auto(''))]);
    expect(steps(p)).toContain('delete HorizontalPodAutoscaler paastasvc-web/web-main');
    expect([first(p).action, words(p)]).toEqual(['stop', ['stop: 5 → 0']]);
    const back = plan(auto('', { live: { replicas: 0 } }), [scaled(there(stopped), 0), ...companions(stopped)]);
    expect(steps(back)).toContain('create HorizontalPodAutoscaler paastasvc-web/web-main');
  });
});

describe('order and rate limit', () => {
  const named = (instance: string, more: Partial<Given> = {}): RenderedInstance =>
    of(more.yaml ?? '', { instance, ...more, yaml: `${yaml}${more.yaml === undefined ? '' : `\n${more.yaml}`}` });
  const broken = (o: KubeObject): KubeObject => ({ ...o, status: { readyReplicas: 1 } });
  const wanted = [
    named('config', { yaml: 'env: {A: b}' }),
    named('sick', { yaml: 'env: {A: b}' }),
    named('code', { sha: B }),
    named('sickcode', { sha: B }),
    named('same'),
  ];
  const objects = [
    there(named('config')),
    broken(there(named('sick'))),
    there(named('code')),
    broken(there(named('sickcode'))),
    there(named('same')),
  ];
  const all = (rateLimit: number): Plan =>
    makePlan(
      wanted,
      { objects: new Map([...objects, ...wanted.flatMap(companions)].map((o) => [objectKey(o), o])) },
      { cluster: 'lab-east', adopt: false, namespaces: [], services: [], rateLimit },
    );

  it('new code before configuration, what is broken last in both', () => {
    expect(all(0).instances.map((i) => i.rendered.instance)).toEqual(['code', 'sickcode', 'config', 'sick', 'same']);
  });

  it('leaves the rest for the next pass, and says so', () => {
    const p = all(2);
    expect(p.instances.map((i) => [i.rendered.instance, i.action])).toEqual([
      ['code', 'update'],
      ['sickcode', 'update'],
      ['config', 'left'],
      ['sick', 'left'],
      ['same', 'unchanged'],
    ]);
    expect(describeEffect(p.instances[2] as InstancePlan)).toBe('left for the next pass (rate limit)');
    expect(allSteps(p)).toHaveLength(2);
  });
});
