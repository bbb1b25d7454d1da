import type { KubeObject } from '../../../src/shared/objects/types.ts';
import {
  allSteps,
  carryOver,
  describeEffect,
  describeReason,
  makePlan,
  objectKey,
  planHash,
  type InstancePlan,
  type Plan,
} from '../../../src/shared/plan/index.ts';
import type { RenderedInstance } from '../../../src/shared/workload/index.ts';
import { rendering, SHA, type Given } from '../workload/world.ts';
import { live } from './live.ts';

const NEXT = 'f'.repeat(40);
const base: Given = { service: 'web', yaml: 'cpus: 0.1\nmem: 64\ninstances: 3\ndeploy_group: prod\ncmd: serve' };
const of = (more: Partial<Given> = {}): RenderedInstance => rendering({ ...base, ...more });

function plan(rendered: RenderedInstance, objects: readonly KubeObject[], adopt = false): Plan {
  return makePlan(
    [rendered],
    { objects: new Map(objects.map((o) => [objectKey(o), o])) },
    { cluster: 'lab-east', adopt, namespaces: [], services: [] },
  );
}
const first = (p: Plan): InstancePlan => p.instances[0] as InstancePlan;
const words = (p: Plan): string[] => first(p).reasons.map(describeReason);
/** What is in the cluster after a deploy of `rendered`; `change` edits the workload. */
function cluster(rendered: RenderedInstance, edits: Parameters<typeof live>[1] = []): KubeObject[] {
  return [live(rendered.workload, edits), ...rendered.companions.map((c) => live(c))];
}
const withReplicas =
  (n: number) =>
  (o: KubeObject): void => {
    if (o.spec !== undefined) o.spec['replicas'] = n;
  };

describe('plan of one instance', () => {
  it('creates what is not there, the workload after its companions', () => {
    const p = plan(of(), []);
    expect(first(p).action).toBe('create');
    expect(first(p).steps.map((s) => s.title)).toEqual(['PodDisruptionBudget paastasvc-web/web-main', 'Deployment paastasvc-web/web-main']);
    expect(describeEffect(first(p))).toBe('starts 3 pods');
  });

  it('does nothing when everything is as we would write it', () => {
    const p = plan(of(), cluster(of()));
    expect(first(p).action).toBe('unchanged');
    expect(allSteps(p)).toEqual([]);
  });

  it('does nothing for a commit to soa-configs alone', () => {
    const p = plan(of({ soaCommit: 'b'.repeat(40) }), cluster(of({ soaCommit: 'a'.repeat(40) })));
    expect(allSteps(p)).toEqual([]);
  });

  it('keeps the live soa-configs commit in the pods while the hash is equal, so that a scale rolls nothing', () => {
    const now = of({ soaCommit: 'b'.repeat(40), yaml: base.yaml.replace('instances: 3', 'instances: 5') });
    const p = plan(now, cluster(of({ soaCommit: 'a'.repeat(40) })));
    expect(words(p)).toEqual(['scale 3 → 5']);
    expect(first(p).action).toBe('scale');
    expect(describeEffect(first(p))).toBe('adds 2 pods');
    expect(JSON.stringify(first(p).steps[0]?.object.spec)).toContain('a'.repeat(40));
    expect(JSON.stringify(first(p).steps[0]?.object.spec)).not.toContain('b'.repeat(40));
  });

  it('says the new version and what bounces', () => {
    const p = plan(of({ sha: NEXT }), cluster(of()));
    expect(words(p)).toEqual([`new version ${SHA.slice(0, 8)} → ffffffff`]);
    expect(describeEffect(first(p))).toBe('bounces 3 pods (crossover): up to 3 extra, at least 3 serving');
  });

  it('says which configuration changed', () => {
    const p = plan(of({ yaml: `${base.yaml}\nenv: {LEVEL: debug}` }), cluster(of()));
    expect(words(p)).toEqual(['configuration changed: containers[main].env[LEVEL]']);
    expect(first(p).effect.bounces).toBe(true);
  });

  it('says so when a field is not wanted any more', () => {
    const p = plan(of(), cluster(of({ yaml: `${base.yaml}\nenv: {LEVEL: debug}` })));
    expect(words(p)).toEqual(['configuration changed: containers[main].env[LEVEL]']);
  });

  it('stops and starts', () => {
    const stopped = of({ control: { desiredState: 'stop', forceBounce: null } });
    const stop = plan(stopped, cluster(of()));
    expect([first(stop).action, words(stop), describeEffect(first(stop))]).toEqual(['stop', ['stop: 3 → 0'], 'stops 3 pods']);
    const start = plan(of(), cluster(stopped));
    expect([first(start).action, words(start), describeEffect(first(start))]).toEqual(['start', ['start: 0 → 3'], 'starts 3 pods']);
  });

  it('puts back what a person changed, by force, and names who', () => {
    const image = { 'f:spec': { 'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"main"}': { 'f:image': {} } } } } } };
    const change = (o: KubeObject): void => {
      const template = o.spec?.['template'] as { spec: { containers: { image: string }[] } };
      if (template.spec.containers[0] !== undefined) template.spec.containers[0].image = 'evil:1';
    };
    const p = plan(of(), cluster(of(), [{ manager: 'kubectl-set', fields: image, change }]));
    expect(words(p)).toEqual(['drift: containers[main].image changed by kubectl-set']);
    expect(first(p).steps[0]?.force).toBe(true);
    expect(first(p).effect.bounces).toBe(true);
  });

  it('puts back replicas that were scaled by hand', () => {
    const p = plan(of(), cluster(of(), [{ manager: 'kubectl', fields: { 'f:spec': { 'f:replicas': {} } }, change: withReplicas(7) }]));
    expect(words(p)).toEqual(['drift: spec.replicas changed by kubectl']);
    expect(describeEffect(first(p))).toBe('removes 4 pods');
  });

  it("leaves a controller's field alone and says how to take it", () => {
    const p = plan(
      of(),
      cluster(of(), [{ manager: 'keda-operator', fields: { 'f:spec': { 'f:replicas': {} } }, change: withReplicas(7) }]),
    );
    expect(first(p).action).toBe('blocked');
    expect(first(p).problems).toMatchObject([
      {
        code: 'FIELD_CONFLICT',
        message: expect.stringContaining('spec.replicas belongs to keda-operator') as string,
        hint: expect.stringContaining('adopt: true') as string,
      },
    ]);
    expect(allSteps(p)).toEqual([]);
    const taken = plan(
      of(),
      cluster(of(), [{ manager: 'keda-operator', fields: { 'f:spec': { 'f:replicas': {} } }, change: withReplicas(7) }]),
      true,
    );
    expect(first(taken).steps[0]?.force).toBe(true);
  });

  it('never touches an object without our marker unless told to adopt it', () => {
    const rendered = of();
    const theirs = structuredClone(rendered.workload);
    delete theirs.metadata.labels?.['app.kubernetes.io/managed-by'];
    const p = plan(rendered, [theirs]);
    expect(first(p).action).toBe('blocked');
    expect(first(p).problems[0]?.message).toBe(
      'Deployment paastasvc-web/web-main exists and was made by PaaSTA, not by us: it is left as it is',
    );
    expect(allSteps(p)).toEqual([]);
    const adopted = plan(rendered, [theirs], true);
    expect(words(adopted)).toContain('adopt from PaaSTA');
    expect(first(adopted).steps.find((s) => s.object.kind === 'Deployment')?.adopts).toBe(true);
    expect(first(adopted).effect.bounces).toBe(false);
  });

  it('deletes nothing, ever: what is not declared is not in the plan', () => {
    const p = makePlan(
      [],
      { objects: new Map(cluster(of()).map((o) => [objectKey(o), o])) },
      { cluster: 'c', adopt: false, namespaces: [], services: [] },
    );
    expect(allSteps(p)).toEqual([]);
  });
});

describe('replicas of an autoscaled instance', () => {
  const yaml = 'cpus: 0.1\nmem: 64\nmin_instances: 2\nmax_instances: 8\ndeploy_group: prod\ncmd: serve';
  const auto = (replicas: number | null, more: Partial<Given> = {}): RenderedInstance => of({ yaml, live: { replicas }, ...more });

  it('are set once, at creation, beside our apply', () => {
    const step = first(plan(auto(null), [])).steps.find((s) => s.object.kind === 'Deployment');
    expect(step?.object.spec?.['replicas']).toBeUndefined();
    expect(step?.scaleTo).toBe(8);
  });

  it("stay the autoscaler's: a live 7 stays 7, through a new version too", () => {
    const rendered = auto(null);
    const { replicas: _, ...spec } = rendered.workload.spec ?? {};
    const deployment = live({ ...rendered.workload, spec });
    withReplicas(7)(deployment);
    const there = [deployment, ...rendered.companions.map((c) => live(c))];
    expect(allSteps(plan(auto(7), there))).toEqual([]);
    const step = first(plan(auto(7, { sha: NEXT }), there)).steps.find((s) => s.object.kind === 'Deployment');
    expect(step?.object.spec?.['replicas']).toBeUndefined();
    expect(step?.scaleTo).toBeUndefined();
  });

  it('are handed over with their live value when an instance becomes autoscaled: leaving them out would reset them to 1', () => {
    const step = first(plan(auto(3), cluster(of()))).steps.find((s) => s.object.kind === 'Deployment');
    expect(step?.object.spec?.['replicas']).toBeUndefined();
    expect(step?.scaleTo).toBe(3);
  });
});

describe('identity of a plan', () => {
  it('is that of its writes: equal for equal writes, other for others', () => {
    const a = planHash(plan(of({ sha: NEXT }), cluster(of())));
    expect(planHash(plan(of({ sha: NEXT }), cluster(of())))).toBe(a);
    expect(planHash(plan(of(), []))).not.toBe(a);
  });

  it('carries nothing over when the hash changed', () => {
    const now = of({ sha: NEXT, soaCommit: 'b'.repeat(40) });
    expect(JSON.stringify(carryOver(now, live(of({ soaCommit: 'a'.repeat(40) }).workload)))).not.toContain('a'.repeat(40));
  });
});
