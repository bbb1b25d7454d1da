/**
 * `paasta check`: do the repository and soa-configs meet the contract. Upstream: paasta_tools/cli/cmds/check.py, whose exit code is always
 * 0; here a broken MUST is exit 1.
 */
import { problem, UserError } from '../shared/contract/errors.ts';
import type { Runtime } from '../shared/contract/ports.ts';
import { isMap } from '../shared/contract/values.ts';
import { currentService, originUrl } from '../shared/runtime/checkout.ts';
import { readInputs, type Inputs } from '../shared/runtime/inputs.ts';
import { entriesOf, type ServiceConfig, type SystemConfig } from '../shared/soa-configs/index.ts';
import { validateService } from '../shared/soa-configs/validate.ts';
import { readValidationWorld } from '../shared/soa-configs/validation-world.ts';
import { suggestName } from '../shared/contract/near.ts';
import { checkLines, failed, passed, type Check } from './contract-check.ts';
import { CHECK_INPUTS } from './inputs.ts';
import { checkMakefile } from './makefile.ts';
import { openTrees, type ReaderWire, type Trees } from './trees.ts';

/** Milliseconds until the git server has to answer, as in PaaSTA. */
const GIT_TIMEOUT = 5_000;

export async function check(runtime: Runtime, wire: ReaderWire): Promise<void> {
  const inputs = readInputs(runtime, CHECK_INPUTS);
  const trees = openTrees(wire, inputs);
  const service = inputs.service ?? (await currentService(runtime, wire.run, trees.tree));
  const checks = await contractChecks(runtime, wire, trees, service, inputs);
  if (inputs.json) runtime.log.info(JSON.stringify(checks, null, 2));
  else for (const line of checks.flatMap(checkLines)) runtime.log.info(line);
  const broken = checks.filter(({ ok, level }) => !ok && level === 'must');
  if (broken.length === 0) return;
  throw new UserError(
    problem(
      'CONTRACT_BROKEN',
      `${service} does not keep the contract: ${String(broken.length)} of ${String(checks.length)} checks failed (${[...new Set(broken.map(({ name }) => name))].join(', ')})`,
      { hint: 'do what is said below each ✗' },
    ),
  );
}

async function contractChecks(
  runtime: Runtime,
  wire: ReaderWire,
  trees: Trees,
  service: string,
  inputs: Inputs<typeof CHECK_INPUTS>,
): Promise<readonly Check[]> {
  const { soa, tree, system } = trees;
  const repository = wire.tree('.');
  const isThere = soa.has(service);
  const config = soa.load(service);
  const env = Object.fromEntries(Object.entries(runtime.env).filter(([name]) => !name.startsWith('INPUT_')));
  const hasDockerfile = repository.list('').some(({ name, kind }) => name === 'Dockerfile' && kind === 'file');
  return [
    isThere
      ? passed('service', 'must', `${service} is in soa-configs`)
      : failed(
          'service',
          'must',
          `soa-configs (${tree.root}) has no service '${service}'`,
          `add a directory '${service}', or correct --service; ${suggestName(service, soa.services())}`,
        ),
    ...(isThere ? pipelineChecks(config) : []),
    await gitCheck(runtime, wire, config, inputs.gitUrl),
    hasDockerfile
      ? passed('dockerfile', 'should', 'a Dockerfile is there')
      : failed(
          'dockerfile',
          'should',
          `there is no Dockerfile in ${repository.root}`,
          'a service is one image: describe it in a Dockerfile that make itest builds',
        ),
    ...(await checkMakefile(wire.run, repository, env, runtime.signal)),
    ...(isThere
      ? [...groupChecks(config, system), ...monitoringChecks(config), ...meshChecks(config), ...validation(trees, service, wire)]
      : []),
  ];
}

function pipelineChecks(config: ServiceConfig): readonly Check[] {
  const file = `${config.service}/deploy.yaml`;
  if (config.pipelineDeployGroups === undefined)
    return [
      failed(
        'deploy-yaml',
        'must',
        `${config.service} has no deploy.yaml`,
        "add one that begins with 'pipeline:' and lists '- step: <deploy group>'",
        { file },
      ),
    ];
  const steps = config.pipeline.stages.flatMap((stage) => stage.steps);
  return [
    passed('deploy-yaml', 'must', 'a deploy.yaml is there'),
    steps.some(({ name }) => name === 'security-check')
      ? passed('security-check', 'should', 'the pipeline has a security-check')
      : failed(
          'security-check',
          'should',
          'the pipeline has no step security-check',
          "add '- step: security-check' before push-to-registry",
          { file },
        ),
  ];
}

/** The repository whose tags are the marks has to answer. That it does not exist is an error, that it cannot be reached from here is not. */
async function gitCheck(runtime: Runtime, wire: ReaderWire, config: ServiceConfig, given: string | undefined): Promise<Check> {
  if (given === undefined && config.gitUrl === null)
    return failed(
      'git-repository',
      'should',
      'service.yaml says git_url: null: the service has no repository that could be marked',
      'set git_url',
      { file: `${config.service}/service.yaml` },
    );
  const url = given ?? config.gitUrl ?? (await originUrl(wire.run, runtime.workingDirectory));
  if (url === undefined)
    return failed(
      'git-repository',
      'should',
      'service.yaml has no git_url, and the checkout has no origin',
      'set git_url in service.yaml',
      { file: `${config.service}/service.yaml` },
    );
  const shown = url.replace(/\/\/[^@/]*@/, '//***@');
  try {
    await wire.doors({ apiUrl: undefined, token: '', timeout: GIT_TIMEOUT }).git(url).listRefs('refs/heads/');
    return passed('git-repository', 'must', `the git repository ${shown} answers`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const [found] = error.problems;
    const level = found?.code === 'GIT_REPOSITORY_NOT_FOUND' || found?.code === 'INVALID_GIT_URL' ? 'must' : 'should';
    return failed('git-repository', level, found?.message ?? `${shown} does not answer`, found?.hint ?? 'check git_url of service.yaml');
  }
}

/** deploy.yaml and the instances must name the same deploy groups. */
function groupChecks(config: ServiceConfig, { clusters }: SystemConfig): readonly Check[] {
  const groups = config.pipelineDeployGroups;
  if (groups === undefined) return [];
  if (clusters.length === 0)
    return [
      failed(
        'deploy-groups',
        'should',
        'the system configuration names no clusters, so nobody can say which deploy groups are in use',
        'correct --system-config-dir',
      ),
    ];
  const file = `${config.service}/deploy.yaml`;
  const used = new Map(
    config.instances.flatMap((instance) => (instance.deployGroup === undefined ? [] : [[instance.deployGroup, instance] as const])),
  );
  const missing = [...used].filter(([group]) => !groups.includes(group));
  const unused = [...new Set(groups)].filter((group) => !used.has(group));
  const hint = (group: string): string => `add '- step: ${group}' to deploy.yaml, or correct deploy_group; ${suggestName(group, groups)}`;
  return [
    ...(missing.length === 0
      ? [passed('instances-in-pipeline', 'must', 'every instance has its deploy group in deploy.yaml')]
      : missing.map(([group, instance]) =>
          failed(
            'instances-in-pipeline',
            'must',
            `the deploy group '${group}' of ${instance.branch} is no step of deploy.yaml: it is never deployed`,
            hint(group),
            instance.position(['deploy_group']),
          ),
        )),
    ...(unused.length === 0
      ? [passed('pipeline-in-use', 'should', 'every deploy group of deploy.yaml has an instance')]
      : unused.map((group) => {
          const at = config.pipeline.stages.flatMap((stage) => stage.steps).find(({ name }) => name === group)?.position;
          return failed(
            'pipeline-in-use',
            'should',
            `no instance has the deploy group '${group}' of deploy.yaml: the step deploys nothing`,
            `remove the step, or give it to an instance; ${suggestName(group, used.keys())}`,
            at ?? { file },
          );
        })),
  ];
}

function monitoringChecks({ service, general }: ServiceConfig): readonly Check[] {
  const team = isMap(general.monitoring) ? general.monitoring.team : undefined;
  if (typeof team === 'string' && team !== '') return [passed('monitoring', 'should', `alerts go to the team ${team}`)];
  return [
    failed('monitoring', 'should', 'monitoring.yaml names no team: nobody hears of alerts', "write 'team: <name>' into monitoring.yaml", {
      file: `${service}/monitoring.yaml`,
    }),
  ];
}

/** A service without mesh namespaces is a service that nobody calls: that is allowed. */
function meshChecks({ service, general }: ServiceConfig): readonly Check[] {
  if (!isMap(general.smartstack)) return [];
  return entriesOf(general.smartstack).flatMap(([namespace, , entry]) => {
    if (!isMap(entry)) return [];
    const port = entry.proxy_port;
    if (typeof port === 'number')
      return [passed('smartstack', 'should', `the mesh namespace ${namespace} has the proxy_port ${String(port)}`)];
    // `proxy_port: null` says on purpose that there is none.
    if (port === null) return [];
    return [
      failed(
        'smartstack',
        'should',
        `the mesh namespace ${namespace} has no proxy_port`,
        'give it one, or write proxy_port: null when nothing calls it through the mesh',
        { file: `${service}/smartstack.yaml` },
      ),
    ];
  });
}

/** All of `paasta validate`. */
function validation({ tree, system, soa }: Trees, service: string, wire: ReaderWire): readonly Check[] {
  // The deploy groups have a check of their own above.
  const problems = validateService(tree, system, soa, service, readValidationWorld(tree, (path) => wire.tree(path)).world).problems.filter(
    ({ code }) => code !== 'UNKNOWN_DEPLOY_GROUP',
  );
  const told = problems.map(({ severity, code, message, hint, file, line }) =>
    failed('validate', severity === 'error' ? 'must' : 'should', `${message} [${code}]`, hint ?? `look at ${file ?? service}`, {
      ...(file === undefined ? {} : { file }),
      ...(line === undefined ? {} : { line }),
    }),
  );
  return told.some(({ level }) => level === 'must') ? told : [passed('validate', 'must', 'the files are valid'), ...told];
}
