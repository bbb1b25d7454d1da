/** What the machine knows: ports, teams, locations, from the files where PaaSTA's validate looks. */
import { problem, UserError } from '../../../src/shared/contract/errors.ts';
import { loadSoaConfigs, systemConfigOf } from '../../../src/shared/soa-configs/index.ts';
import { validateService } from '../../../src/shared/soa-configs/validate.ts';
import { readValidationWorld } from '../../../src/shared/soa-configs/validation-world.ts';
import { memoryTree } from '../../support/memory-tree.ts';

const MACHINE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '/etc': { services: '# ports\nssh 22/tcp\nother.main 20001/tcp # mesh\nweb.canary\t20002/tcp\n' },
  '/etc/sensu': { 'team_data.json': '{"team_data": {"a": {}, "b": {}}}' },
};
const TYPES = '["ecosystem", "region", "habitat"]';
const MAPPING = '{"prod_ecosystem": {"west_region": {"west-a_habitat": {}}, "east_region": {}}}';
const machine = (files: typeof MACHINE) => (path: string) => memoryTree(files[path] ?? {});

it('reads ports, teams and locations; soa-configs goes before the machine', () => {
  const tree = memoryTree({ 'location_types.json': TYPES, 'location_mapping.json': MAPPING });
  expect(readValidationWorld(tree, machine({ ...MACHINE, '/usr/share/yelp_location': { 'location_types.json': '["x"]' } }))).toEqual({
    problems: [],
    world: {
      etcServices: expect.arrayContaining(['ssh 22/tcp']),
      teams: ['a', 'b'],
      locationTypes: ['ecosystem', 'region', 'habitat'],
      locations: { ecosystem: ['prod'], region: expect.arrayContaining(['west', 'east']), habitat: ['west-a'] },
    },
  });
  expect(readValidationWorld(memoryTree({}), machine({ '/usr/share/yelp_location': { 'location_types.json': TYPES } })).world).toEqual({
    etcServices: undefined,
    teams: undefined,
    locationTypes: ['ecosystem', 'region', 'habitat'],
    locations: undefined,
  });
});

it('leaves out without a word what a machine does not have, cannot read, or has in another form', () => {
  const nothing = { etcServices: undefined, teams: undefined, locationTypes: undefined, locations: undefined };
  expect(readValidationWorld(memoryTree({}), machine({}))).toEqual({ world: nothing, problems: [] });
  const unreadable = {
    root: '/',
    list: () => [],
    read: () => {
      throw new UserError(problem('FILE_UNREADABLE', 'no permission'));
    },
  };
  expect(readValidationWorld(memoryTree({}), () => unreadable)).toEqual({ world: nothing, problems: [] });
  expect(readValidationWorld(memoryTree({}), machine({ '/etc/sensu': { 'team_data.json': '[' } }))).toEqual({
    world: nothing,
    problems: [],
  });
});

it('says so when a file of soa-configs is not what it should be', () => {
  const { world, problems } = readValidationWorld(memoryTree({ 'location_types.json': '{"a": 1}' }), machine({}));
  expect(world.locationTypes).toBeUndefined();
  expect(problems).toEqual([
    expect.objectContaining({ severity: 'warning', code: 'LOCATIONS_INVALID', file: 'location_types.json', line: 1 }),
  ]);
});

it('ports that are taken, unknown locations and teams are told on their lines', () => {
  const tree = memoryTree({
    'location_types.json': TYPES,
    'location_mapping.json': MAPPING,
    'web/monitoring.yaml': 'team: a\n',
    'web/service.yaml': 'description: d\nexternal_link: l\n',
    'web/deploy.yaml': 'pipeline: [{step: g}]\n',
    'web/smartstack.yaml':
      'main:\n  proxy_port: 20001\ncanary:\n  proxy_port: 20002\nplaces:\n  proxy_port: 20003\n  advertise: [region, continent]\n  extra_advertise:\n    region:west: [region:north]\n',
    'web/tron-prod.yaml': 'job:\n  schedule: cron 0 3 * * *\n  monitoring: {team: c}\n  actions: {run: {command: x, deploy_group: g}}\n',
  });
  const system = systemConfigOf({ clusters: ['prod'], vault_cluster_map: { prod: 'prod' } });
  const { world } = readValidationWorld(tree, machine(MACHINE));
  const told = (known: typeof world): readonly string[] =>
    validateService(tree, system, loadSoaConfigs(tree, system), 'web', known).problems.map(
      ({ file, line, message }) => `${file ?? ''}:${String(line)} ${message}`,
    );
  expect(told(world)).toEqual([
    'web/smartstack.yaml:2 port 20001 already belongs to other.main',
    "web/smartstack.yaml:7 'continent' is no location type",
    "web/smartstack.yaml:9 'region:north' is no known location",
    "web/tron-prod.yaml:3 job 'job': there is no team 'c'",
  ]);
  expect(told({})).toEqual([]);
});
