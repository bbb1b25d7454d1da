import {
  downForm,
  isDrainingInHacheck,
  isSafeInHacheck,
  podUrl,
  readDrainMethod,
  spoolState,
  spoolUrl,
  type SpoolState,
} from '../../../src/shared/bounce/index.ts';
import { parseUrlFormat, type UrlFormat } from '../../../src/shared/bounce/drain-url.ts';
import { Float, type ValueMap } from '../../../src/shared/contract/values.ts';

const VALUES = { host: '10.0.0.7', port: 8888, service: 'web', instance: 'main', nerve_ns: 'web.main' };

describe('url_format', () => {
  it.each([
    ['http://{host}:{port}/drain?on=1', { scheme: 'http', port: 8888, path: '/drain?on=1' }],
    [
      'http://{host}:9000/{service}/{instance}/{nerve_ns}?of={host}:{port}',
      { scheme: 'http', port: 9000, path: '/web/main/web.main?of=10.0.0.7:8888' },
    ],
    ['https://{host}:{port}', { scheme: 'https', port: 8888, path: '/' }],
    ['http://{host}/x', { scheme: 'http', port: 80, path: '/x' }],
    ['https://{host}?q={{1}}#part', { scheme: 'https', port: 443, path: '/?q={1}' }],
  ])('%s', (text, url) => {
    expect(podUrl(parseUrlFormat(text) as UrlFormat, VALUES)).toEqual(url);
  });

  // Without the check the request would leave the pod: the run's own credentials go with it.
  it.each([
    ['http://10.0.0.7:{port}/drain', /is not an address of the pod/],
    ['http://{host}.evil.example/drain', /is not an address of the pod/],
    ['http://user@{host}/drain', /is not an address of the pod/],
    ['/drain', /is not an address of the pod/],
    ['ftp://{host}/drain', /is not an address of the pod/],
    ['http://{host}:99999/drain', /99999 is not a port/],
    ['http://{host}:{port}/{hots}', /\{hots\} is not a name/],
    ['http://{host}:{port}/{host!r}', /\{host!r\} is not a name/],
    ['http://{host}:{port}/{', /\{\} is not a name/],
    ['http://{host}:{port}/}', /single \}/],
  ])('refuses %s', (text, said) => {
    expect(parseUrlFormat(text)).toMatchObject({ code: 'BAD_DRAIN_URL', message: expect.stringMatching(said) as string });
  });
});

const spec = (path: string, more: ValueMap = {}): ValueMap => ({
  url_format: `http://{host}:{port}/${path}`,
  success_codes: '200-299',
  ...more,
});
const HTTP: ValueMap = {
  drain: spec('drain', { method: 'post' }),
  stop_draining: spec('undrain', { method: 'POST' }),
  is_draining: spec('drain', { success_codes: 200 }),
  is_safe_to_kill: spec('idle', { success_codes: new Float(200) }),
};

describe('drain_method_params', () => {
  it('reads http, with GET as the method that upstream takes', () => {
    const { method, faults } = readDrainMethod('http', HTTP, true);
    expect(faults).toEqual([]);
    expect(method).toMatchObject({
      kind: 'http',
      calls: {
        drain: { method: 'POST', successCodes: '200-299' },
        is_draining: { method: 'GET', successCodes: '200' },
        is_safe_to_kill: { successCodes: '200' },
      },
    });
  });

  it('reads hacheck: delay 240, port 6666, an expiration of ten delays', () => {
    expect(readDrainMethod('hacheck', {}, false).method).toEqual({
      kind: 'hacheck',
      params: { delay: 240, port: 6666, expiration: 2400, wantsDelay: false },
    });
    expect(readDrainMethod('hacheck', { delay: 60 }, false).method).toEqual({
      kind: 'hacheck',
      params: { delay: 60, port: 6666, expiration: 600, wantsDelay: false },
    });
    expect(readDrainMethod('hacheck', { delay: 5, hacheck_port: 3333, expiration: 7 }, true).method).toEqual({
      kind: 'hacheck',
      params: { delay: 5, port: 3333, expiration: 7, wantsDelay: true },
    });
  });

  it('takes noop and test for leaving the endpoints only', () => {
    for (const name of ['noop', 'test'])
      expect(readDrainMethod(name, { delay: 'x' }, true)).toEqual({ method: { kind: 'noop' }, faults: [] });
  });

  // A typo never becomes a default: `metod: POST` would otherwise be sent as GET.
  it.each<[string, ValueMap, string, RegExp]>([
    [
      'http',
      { ...HTTP, drain: spec('x', { metod: 'POST' }) },
      'drain_method_params.drain.metod',
      /is not a setting.*did you mean 'method'/,
    ],
    ['http', { ...HTTP, drain: spec('x', { method: 'PSOT' }) }, 'drain_method_params.drain.method', /is PSOT.*legal: GET, POST/],
    [
      'http',
      { ...HTTP, drain: { url_format: 'http://{host}:{port}/' } },
      'drain_method_params.drain.success_codes',
      /is missing: there is no default/,
    ],
    [
      'http',
      { ...HTTP, is_draining: spec('x', { success_codes: '200-' }) },
      'drain_method_params.is_draining.success_codes',
      /'200-' is not a list of HTTP status codes/,
    ],
    ['http', { ...HTTP, is_draining: spec('x', { success_codes: [200] }) }, 'drain_method_params.is_draining.success_codes', /not a list/],
    ['http', { ...HTTP, is_draining: { success_codes: 200 } }, 'drain_method_params.is_draining', /needs url_format/],
    ['http', { ...HTTP, is_draining: spec('x', { url_format: 7 }) }, 'drain_method_params.is_draining.url_format', /must be text, not 7/],
    ['http', { ...HTTP, is_draining: 'yes' }, 'drain_method_params.is_draining', /must be a mapping, not yes/],
    ['http', { drain: spec('x'), stop_draining: spec('x'), is_draining: spec('x') }, 'drain_method_params', /needs is_safe_to_kill/],
    ['http', { ...HTTP, is_safe_to_kil: spec('x') }, 'drain_method_params.is_safe_to_kil', /did you mean 'is_safe_to_kill'/],
    ['hacheck', { dealy: 30 }, 'drain_method_params.dealy', /did you mean 'delay'/],
    ['hacheck', { delay: '30' }, 'drain_method_params.delay', /must be a number of at least 0, not 30/],
    ['hacheck', { hacheck_port: 0 }, 'drain_method_params.hacheck_port', /from 1 to 65535, not 0/],
  ])('%s refuses %j', (name, params, path, said) => {
    const { method, faults } = readDrainMethod(name, params, true);
    expect(faults).toHaveLength(1);
    expect(faults[0]?.path.join('.')).toBe(path);
    expect(`${faults[0]?.problem.message ?? ''} ${faults[0]?.problem.hint ?? ''}`).toMatch(said);
    if (name === 'http') expect(['noop', 'http']).toContain(method.kind);
  });
});

describe('hacheck', () => {
  it('asks the spool of each registration', () => {
    expect(spoolUrl({ port: 6666 }, 'web.main', 8888)).toEqual({ scheme: 'http', port: 6666, path: '/spool/web.main/8888/status' });
    expect(downForm({ expiration: 600 }, 1_000_000)).toEqual({ status: 'down', expiration: '1600', reason: 'Drained by Paasta' });
  });

  it.each<[number, string, SpoolState]>([
    [200, 'anything', { state: 'up' }],
    [
      503,
      'Service web.main in down state since 1500000000.25 until 1500000600.5: Drained by Paasta',
      { state: 'down', since: 1500000000.25, until: 1500000600.5, reason: 'Drained by Paasta' },
    ],
    [503, 'Service web.main in down state since 1500000000: ', { state: 'down', since: 1500000000, reason: '' }],
    [503, 'Service web.main in down state since 1500000000', { state: 'down', since: 1500000000 }],
    [500, 'oops', { state: 'unknown' }],
  ])('%i %s', (status, body, state) => {
    expect(spoolState(status, body)).toEqual(state);
  });

  const down = (since: number): SpoolState => ({ state: 'down', since });
  it.each<[string, readonly SpoolState[], boolean, boolean]>([
    ['all up', [{ state: 'up' }, { state: 'up' }], false, false],
    ['one down, one up', [down(0), { state: 'up' }], true, false],
    ['one down, one unknown (upstream raises)', [down(0), { state: 'unknown' }], true, false],
    ['unknown', [{ state: 'unknown' }], false, false],
    ['down for less than the delay', [down(995)], true, false],
    ['down for the delay exactly', [down(940)], true, false],
    ['one of two not long enough', [down(0), down(950)], true, false],
    ['all down for longer', [down(0), down(939.9)], true, true],
    ['no registration at all', [], false, false],
  ])('%s', (_name, states, drains, safe) => {
    expect(isDrainingInHacheck(states)).toBe(drains);
    expect(isSafeInHacheck(states, { delay: 60 }, 1_000_000)).toBe(safe);
  });
});
