/** validate beyond the checks themselves: what is told once, how much of it GitHub shows, and that one service cannot hide the others. */
import { problem, warning, UserError, type Problem } from '../../../src/shared/contract/errors.ts';
import { systemConfigOf } from '../../../src/shared/soa-configs/index.ts';
import { changedServices } from '../../../src/validate/changed.ts';
import { checkServices, systemOfFiles } from '../../../src/validate/check.ts';
import { readCommandInputs, readValidateInputs } from '../../../src/validate/inputs.ts';
import { annotate, checkRunOf, hasFailed, summary } from '../../../src/validate/outputs.ts';
import { sarif } from '../../../src/validate/sarif.ts';
import type { Run } from '../../../src/shared/process/index.ts';
import { memoryTree } from '../../support/memory-tree.ts';
import { recordingLog } from '../../support/recording.ts';

const SYSTEM = systemConfigOf({ clusters: ['prod'], vault_cluster_map: { prod: 'prod' } });
const service = (name: string, text = 'main:\n  deploy_group: g\n'): Record<string, string> => ({
  [`${name}/deploy.yaml`]: 'pipeline:\n  - step: g\n',
  [`${name}/kubernetes-prod.yaml`]: text,
});

describe('checkServices', () => {
  it('tells what several checks say about a place once', () => {
    const { problems } = checkServices(
      memoryTree(service('web', 'main:\n  deploy_group: g\n  cpus: one\nother:\n')),
      SYSTEM,
      undefined,
      false,
    );
    expect(problems.map(({ line, code }) => `${String(line)} ${code}`)).toEqual(['3 SCHEMA_TYPE', '4 INSTANCE_NOT_A_MAPPING']);
  });

  it('of what follows from another mistake in the same place nothing is told', () => {
    const { problems } = checkServices(
      memoryTree(
        service(
          'web',
          'main:\n  deploy_group: g\n  healthcheck_mode: htpp\n  max_instances: 2\n  autoscaling:\n    metrics_providers:\n      - type: cpuu\nMain: {cpus: 1}\n5: {cpus: 1}\n',
        ),
      ),
      SYSTEM,
      undefined,
      false,
    );
    expect(problems.map(({ line, code }) => `${String(line)} ${code}`)).toEqual([
      '3 UNKNOWN_VALUE',
      '7 UNKNOWN_VALUE',
      '8 INSTANCE_NAME',
      '8 NAME_COLLISION',
      '9 INSTANCE_NAME',
    ]);
  });

  it('actions of a job that are a list are told once', () => {
    const { problems } = checkServices(
      memoryTree({
        ...service('web'),
        'web/tron-prod.yaml':
          'job:\n  schedule: cron 0 3 * * *\n  node: paasta\n  monitoring: {team: t}\n  deploy_group: g\n  actions:\n  - {name: x, command: y}\n',
      }),
      SYSTEM,
      undefined,
      false,
    );
    expect(problems.map(({ file, line, code }) => `${file ?? ''}:${String(line)} ${code}`)).toEqual([
      'web/tron-prod.yaml:6 TRON_JOB_INVALID',
    ]);
  });

  it('goes on when the validation of one service fails in a way that is our fault', () => {
    const good = memoryTree({ ...service('api'), ...service('web') });
    const tree = {
      ...good,
      read: (path: string) => {
        if (path === 'api/kubernetes-prod.yaml') throw new TypeError('x is not a function');
        return good.read(path);
      },
    };
    const { services, problems } = checkServices(tree, SYSTEM, undefined, false);
    expect(services.map((one) => [one.service, one.errors])).toEqual([
      ['api', 1],
      ['web', 0],
    ]);
    expect(problems).toEqual([expect.objectContaining({ code: 'INTERNAL_ERROR', file: 'api/service.yaml', line: 1 })]);
  });

  it('takes the clusters of file names when there is no system configuration, and asks for no ecosystem', () => {
    const tree = memoryTree({ ...service('web', 'main:\n  deploy_group: x\n'), 'web/eks-east.yaml': 'a: {deploy_group: g}\n' });
    const system = systemOfFiles(tree);
    expect(system.clusters).toEqual(['east', 'prod']);
    expect(checkServices(tree, system, undefined, true).problems.map(({ code }) => code)).toEqual(['UNKNOWN_DEPLOY_GROUP']);
  });

  it('says which service is unknown, and validates the others', () => {
    const { problems, services } = checkServices(
      memoryTree(service('web', 'main:\n  deploy_group: g\n  cpus: 0\n')),
      SYSTEM,
      ['wbe', 'web'],
      false,
    );
    expect(services).toHaveLength(2);
    expect(problems.map(({ code }) => code)).toEqual(['UNKNOWN_SERVICE', 'OUT_OF_RANGE']);
  });
});

describe('what is shown', () => {
  const many: readonly Problem[] = [
    ...Array.from({ length: 12 }, (_unused, at) => warning('W', `w${String(at)}`, { file: 'a.yaml', line: at + 1 })),
    ...Array.from({ length: 11 }, (_unused, at) => problem('E', `e${String(at)}`, { file: 'b.yaml', line: at + 1 })),
  ];

  it('errors first, ten annotations of a severity, all others as lines', async () => {
    const log = recordingLog();
    await annotate(log, many);
    expect(log.lines.slice(0, 2)).toEqual(['error E e0', 'error E e1']);
    expect(log.lines.filter((line) => line.startsWith('error E'))).toHaveLength(10);
    expect(log.lines.filter((line) => line.startsWith('warning W'))).toHaveLength(10);
    expect(log.lines.slice(20)).toEqual([
      'group 3 more',
      'info error: b.yaml:11: e10 [E]',
      'info warning: a.yaml:11: w10 [W]',
      'info warning: a.yaml:12: w11 [W]',
    ]);
  });

  it('no annotation of a file outside the repository', () => {
    const problems = [
      problem('E', 'x', { file: '/etc/paasta/a.json', line: 1 }),
      problem('E', 'y', { file: '../a.yaml' }),
      problem('E', 'z', { file: 'a.yaml', hint: 'do it' }),
      problem('E', 'no file'),
    ];
    const run = checkRunOf({ services: [], problems, failOn: 'error' }, 'f'.repeat(40), 'https://x.example');
    expect(run.annotations).toEqual([{ path: 'a.yaml', startLine: 1, level: 'failure', title: 'E', message: 'z\nnext: do it' }]);
    expect(run.summary).toContain('/etc/paasta/a.json:1');
  });

  it('foreign text cannot become markup of the summary', () => {
    const text = summary({ services: [], problems: [problem('E', '<b>|x|\n@all', { file: 'a|b`.yaml' })], failOn: 'error' });
    expect(text).toContain('&lt;b&gt;\\|x\\|<br>@\u200ball');
    expect(text.split('\n').filter((line) => line.startsWith('|'))).toHaveLength(3);
  });

  it('fails for errors always, for warnings when told so', () => {
    expect(hasFailed({ problems: [problem('E', 'x')], failOn: 'error' })).toBe(true);
    expect(hasFailed({ problems: [warning('W', 'x')], failOn: 'error' })).toBe(false);
    expect(hasFailed({ problems: [warning('W', 'x')], failOn: 'warning' })).toBe(true);
    expect(hasFailed({ problems: [{ severity: 'notice', code: 'N', message: 'x' }], failOn: 'warning' })).toBe(false);
  });

  it('SARIF with a rule for each code, places, and fingerprints that do not depend on the line', () => {
    const one = (line: number): { results: { partialFingerprints: Record<string, string>; locations: unknown[] }[] } =>
      (
        JSON.parse(sarif([problem('BAD_KEY', 'x', { file: 'soa/ö b.yaml', line })])) as {
          runs: [{ results: { partialFingerprints: Record<string, string>; locations: unknown[] }[] }];
        }
      ).runs[0];
    expect(one(3).results[0]?.partialFingerprints).toEqual(one(9).results[0]?.partialFingerprints);
    expect(one(3).results[0]?.locations).toEqual([
      { physicalLocation: { artifactLocation: { uri: 'soa/%C3%B6%20b.yaml', uriBaseId: '%SRCROOT%' }, region: { startLine: 3 } } },
    ]);
    expect(JSON.parse(sarif([]))).toMatchObject({ version: '2.1.0', runs: [{ results: [] }] });
  });
});

describe('inputs', () => {
  const read = (
    inputs: Record<string, string>,
    reader: (source: Parameters<typeof readValidateInputs>[0]) => unknown = readValidateInputs,
  ): unknown => {
    try {
      return reader({ input: (name) => inputs[name] ?? '', env: {}, mask: () => undefined });
    } catch (error) {
      if (error instanceof UserError) return error.problems.map(({ input, code }) => `${String(input)} ${code}`);
      throw error;
    }
  };
  it.each<[Record<string, string>, readonly string[]]>([
    [{ service: 'web, ../x', 'fail-on': 'warn' }, ['service BAD_SERVICE_NAME', 'fail-on BAD_INPUT']],
    [{ 'changed-only': 'true', service: 'web' }, ['changed-only BAD_INPUT']],
    [{ base: 'main' }, ['base BAD_INPUT']],
    [{ 'changed-only': 'true', base: '--output=x' }, ['base BAD_INPUT']],
    [{ 'changed-only': 'true', base: 'a..b' }, ['base BAD_INPUT']],
    [{ 'changed-only': 'yes' }, ['changed-only BAD_INPUT']],
  ])('%j', (inputs, problems) => {
    expect(read(inputs)).toEqual(problems);
  });

  it('makes a check run as an action, and as a command only when asked', () => {
    expect(read({})).toMatchObject({ checkRun: true, failOn: 'error', service: [] });
    expect(read({}, readCommandInputs)).toMatchObject({ checkRun: false });
    expect(read({ path: 'x', service: 'web' }, readCommandInputs)).toEqual(['path BAD_INPUT']);
  });
});

it('a base that is not there makes all services count', async () => {
  const asked: string[] = [];
  const run: Run = async (argv) => {
    asked.push(argv.join(' '));
    return Promise.resolve({ code: 1, signal: null, timedOut: false, cancelled: false, stdout: '', stderr: '', duration: 0 });
  };
  expect(await changedServices(run, '/soa', '/system', ['origin/main', 'abc'])).toMatchObject({
    services: undefined,
    problem: { code: 'CHANGES_UNKNOWN', severity: 'warning' },
  });
  expect(asked).toHaveLength(2);
});
