import { isNotRendered, type RenderedInstance } from '../../../src/shared/workload/index.ts';
import { attempt, refusal, type Given } from './world.ts';

const rendered = (given: Given): RenderedInstance => {
  const result = attempt(given);
  if (isNotRendered(result)) throw new Error(JSON.stringify(result.problems));
  return result;
};
const said = (given: Given): readonly [string, number | undefined, string][] =>
  rendered(given)
    .warnings.filter(({ code }) => /DRAIN|PRE_STOP/.test(code))
    .map(({ code, line, message }) => [code, line, message]);

const MESH = 'main: {proxy_port: 20001}';
const SIDECAR = { hacheck_sidecar_image_url: 'hacheck:1' };
const spec = "{url_format: 'http://{host}:{port}/x', success_codes: 200}";
const HTTP = `drain_method: http\ndrain_method_params: {drain: ${spec}, stop_draining: ${spec}, is_draining: ${spec}, is_safe_to_kill: ${spec}}`;

describe('the drain method of an instance', () => {
  it('comes with port and registrations', () => {
    expect(
      rendered({ yaml: `${HTTP}\nbounce_method: upthendown\ncontainer_port: 9000\nregistrations: [other.main, other.more]` }).drain,
    ).toMatchObject({ method: { kind: 'http' }, port: 9000, registrations: ['other.main', 'other.more'] });
    expect(rendered({ yaml: 'cpus: 1' }).drain).toEqual({ method: { kind: 'noop' }, port: 8888, registrations: ['ledger_api.main'] });
    expect(rendered({ yaml: 'cpus: 1', smartstack: MESH }).drain).toMatchObject({
      method: { kind: 'hacheck', params: { delay: 60, wantsDelay: false } },
    });
  });

  // Without these somebody would believe that the method is applied.
  it.each<[string, Given, readonly [string, number, RegExp] | undefined]>([
    ['http under crossover', { yaml: HTTP }, ['DRAIN_WITHOUT_EFFECT', 2, /drain_method http has no effect under bounce_method crossover/]],
    ['http under brutal', { yaml: `bounce_method: brutal\n${HTTP}` }, ['DRAIN_WITHOUT_EFFECT', 3, /under bounce_method brutal/]],
    [
      'http in a StatefulSet, whatever the bounce',
      { yaml: `${HTTP}\nbounce_method: upthendown\npersistent_volumes: [{container_path: /d, size: 1, mode: RW}]` },
      ['DRAIN_WITHOUT_EFFECT', 2, /in a StatefulSet/],
    ],
    [
      'http with mistakes that do not matter there',
      { yaml: 'drain_method: http\ndrain_method_params: {drain: {}, stop_draining: {}, is_draining: {}, is_safe_to_kill: {}}' },
      ['DRAIN_WITHOUT_EFFECT', 2, /crossover/],
    ],
    ['hacheck without a sidecar', { yaml: 'drain_method: hacheck' }, ['DRAIN_WITHOUT_EFFECT', 2, /drain_method hacheck has no effect/]],
    [
      'parameters of hacheck, whose sidecar waits another time',
      { yaml: 'drain_method_params: {delay: 30}', smartstack: MESH, system: SIDECAR },
      ['DRAIN_WITHOUT_EFFECT', 2, /drain_method_params has no effect/],
    ],
    ['hacheck with a sidecar, which marks pods down', { yaml: 'drain_method: hacheck', smartstack: MESH, system: SIDECAR }, undefined],
    ['the default of the mesh', { yaml: 'cpus: 1', smartstack: MESH }, undefined],
    ['http under upthendown', { yaml: `${HTTP}\nbounce_method: upthendown` }, undefined],
    ['noop', { yaml: 'drain_method: noop' }, undefined],
    [
      'waiting for connections with the native sleep',
      { yaml: 'lifecycle: {pre_stop_wait_for_connections_to_complete: true}', options: { preStop: 'native' } },
      ['PRE_STOP_WITHOUT_EFFECT', 2, /does not look at connections/],
    ],
    [
      'a sleep as long as the grace period',
      { yaml: 'lifecycle: {pre_stop_drain_seconds: 30}', options: { preStop: 'native' } },
      ['DRAIN_FILLS_GRACE', 2, /killed 30 s after/],
    ],
    [
      'a sleep of the shell beyond the grace period, as PaaSTA renders it',
      { yaml: 'lifecycle: {pre_stop_drain_seconds: 45, termination_grace_period_seconds: 40}' },
      ['DRAIN_FILLS_GRACE', 2, /is 45, and pods are killed 40 s/],
    ],
    ['a grace period of nothing without a sleep', { yaml: 'lifecycle: {termination_grace_period_seconds: 0}' }, undefined],
  ])('%s', (_name, given, expected) => {
    const found = said(given);
    if (expected === undefined) expect(found).toEqual([]);
    else expect(found).toEqual([[expected[0], expected[1], expect.stringMatching(expected[2]) as string]]);
  });

  it('is an error where upthendown needs it, each mistake on its line', () => {
    const problems = refusal({
      yaml: `bounce_method: upthendown\ndrain_method: http\ndrain_method_params:\n  drain: {url_format: 'http://10.0.0.1/x', success_codes: 200}\n  stop_draining: ${spec}\n  is_draining: {url_format: 'http://{host}/x', metod: POST, success_codes: 2oo}\n  is_safe_to_kill: ${spec}`,
    });
    expect(problems.map(({ code, severity, line, message }) => [code, severity, line, message])).toEqual([
      [
        'DRAIN_INVALID',
        'error',
        5,
        expect.stringContaining("main: drain_method_params.drain.url_format: url_format 'http://10.0.0.1/x' is not an address of the pod"),
      ],
      ['DRAIN_INVALID', 'error', 7, expect.stringContaining('drain_method_params.is_draining.metod is not a setting of the drain method')],
      [
        'DRAIN_INVALID',
        'error',
        7,
        expect.stringContaining("drain_method_params.is_draining.success_codes: success_codes '2oo' is not a list"),
      ],
    ]);
  });
});
