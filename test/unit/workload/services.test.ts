import { mergeServices, registrationServiceName } from '../../../src/shared/workload/index.ts';
import { podOf, rendering, type Given } from './world.ts';

const SMARTSTACK = 'main: {proxy_port: 20001}\ntcp: {proxy_port: 20002, mode: tcp}\nnone: {proxy_port: null}\n';
const of = (given: Partial<Given>) => rendering({ yaml: 'cpus: 1', smartstack: SMARTSTACK, ...given });

describe('Services of registrations', () => {
  it.each([
    ['ledger_api.main', 'ledger--api---main'],
    ['web.main', 'web---main'],
    ['9lives.main', 'svc-9lives---main'],
    [`${'a'.repeat(60)}.main`, expect.stringMatching(/^a{58}-[a-z2-7]{4}$/)],
  ])('%s is named as PaaSTA’s mesh setup names it', (registration, name) => {
    expect(registrationServiceName(registration)).toEqual(name);
  });

  it('only what smartstack.yaml declares', () => {
    expect(of({ instance: 'worker' }).services).toEqual([]);
    expect(of({ yaml: 'registrations: [ledger_api.main, ledger_api.unknown]' }).services.map(({ metadata }) => metadata.name)).toEqual([
      'ledger--api---main',
    ]);
  });

  it('a registration that nothing declares is said on its line', () => {
    expect(of({ yaml: 'registrations: [ledger_api.main, ledger_api.unknown]' }).warnings).toMatchObject([
      {
        severity: 'warning',
        code: 'UNKNOWN_REGISTRATION',
        file: 'ledger_api/kubernetes-lab-east.yaml',
        line: 2,
        message: expect.stringContaining("there is no 'unknown' in ledger_api/smartstack.yaml") as string,
      },
    ]);
    expect(of({ instance: 'worker' }).warnings).toEqual([]);
  });

  it('several registrations, each with its protocol and port', () => {
    const { services } = of({ yaml: 'container_port: 9000\nregistrations: [ledger_api.main, ledger_api.tcp, ledger_api.none]' });
    expect(services.map(({ spec }) => (spec?.['ports'] as unknown[])[0])).toEqual([
      { name: 'http', port: 20001, targetPort: 9000, protocol: 'TCP', appProtocol: 'http' },
      { name: 'tcp', port: 20002, targetPort: 9000, protocol: 'TCP', appProtocol: 'tcp' },
      { name: 'http', port: 8888, targetPort: 9000, protocol: 'TCP', appProtocol: 'http' },
    ]);
  });

  it('pods carry exactly the labels that the Services select; without Services only what the system flag asks for', () => {
    const labels = (given: Partial<Given>): string[] =>
      Object.keys(podOf(of(given)).metadata.labels).filter((key) => key.startsWith('registrations.'));
    expect(labels({})).toEqual(['registrations.paasta.yelp.com/ledger_api.main']);
    expect(labels({ options: { registrationServices: false } })).toEqual([]);
    expect(labels({ options: { registrationServices: false }, system: { kubernetes_add_registration_labels: true } })).toEqual([
      'registrations.paasta.yelp.com/ledger_api.main',
    ]);
    expect(of({ options: { registrationServices: false } }).services).toEqual([]);
  });

  it('canary and main share one', () => {
    const canary = of({ instance: 'canary', yaml: 'registrations: [ledger_api.main]' });
    const merged = mergeServices([of({}), canary]);
    expect(merged.services.map(({ metadata }) => metadata.name)).toEqual(['ledger--api---main']);
    expect(merged.problems).toEqual([]);
  });

  it('the owner of the port keeps it, also when only the other one is deployed', () => {
    const canary = of({ instance: 'canary', yaml: 'registrations: [ledger_api.main]\ncontainer_port: 9000' });
    const owners = new Map([['paastasvc-ledger--api/ledger--api---main', { port: 8888, by: 'ledger_api.main' }]]);
    for (const rendered of [[canary], [canary, of({})]]) {
      const merged = mergeServices(rendered, owners);
      expect(merged.services.map(({ spec }) => (spec?.['ports'] as { targetPort: number }[]).map((p) => p.targetPort))).toEqual([[8888]]);
      expect(merged.problems.map((p) => p.message)).toEqual([
        'ledger_api.canary and ledger_api.main share Service paastasvc-ledger--api/ledger--api---main but want different ports: 20001 → 9000 and 20001 → 8888',
      ]);
    }
  });

  it('a contradiction is said, and the first is kept', () => {
    const canary = of({ instance: 'canary', yaml: 'registrations: [ledger_api.main]\ncontainer_port: 9000' });
    const merged = mergeServices([of({}), canary]);
    expect(merged.services).toHaveLength(1);
    expect(merged.problems[0]?.message).toBe(
      'ledger_api.canary and ledger_api.main share Service paastasvc-ledger--api/ledger--api---main but want different ports: 20001 → 9000 and 20001 → 8888',
    );
  });
});
