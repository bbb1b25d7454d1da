/**
 * `paasta get-latest-deployment` and `get-docker-image`: what a deploy group runs, from deployments.json or, without one, from the tags.
 * Upstream: paasta_tools/cli/cmds/get_latest_deployment.py, get_docker_image.py.
 */
import { deploymentVersionForms } from '../shared/contract/deployment-version.ts';
import { problem, UserError } from '../shared/contract/errors.ts';
import { imageReference } from '../shared/contract/image.ts';
import { suggestName } from '../shared/contract/near.ts';
import type { Runtime } from '../shared/contract/ports.ts';
import { markRefPrefix } from '../shared/contract/tags.ts';
import { deploymentsFromFile, deploymentsFromRefs, inByteOrder, type Deployed, type Deployments } from '../shared/deployments/index.ts';
import { findPlace } from '../shared/marking/index.ts';
import { originUrl } from '../shared/runtime/checkout.ts';
import { readInputs } from '../shared/runtime/inputs.ts';
import { registryAddress, type ServiceConfig } from '../shared/soa-configs/index.ts';
import { IMAGE_INPUTS, LATEST_INPUTS } from './inputs.ts';
import { openTrees, requireDirectory, type ReaderWire, type Trees } from './trees.ts';

interface Wanted {
  readonly service: string | undefined;
  readonly deployGroup: string | undefined;
  readonly gitUrl: string | undefined;
  readonly githubToken: string;
  readonly githubApiUrl: string | undefined;
  readonly soaDir: string;
  readonly systemConfigDir: string;
}

/** Prints the version (PaaSTA's spelling), the sha only, or `{"sha": …, "image_version": …}`. Exit 1 when the group was never deployed. */
export async function getLatestDeployment(runtime: Runtime, wire: ReaderWire): Promise<void> {
  const inputs = readInputs(runtime, LATEST_INPUTS, [
    ({ shaOnly, json }) =>
      shaOnly && json
        ? problem('BAD_INPUT', '--sha-only and --json are two forms of one answer', { input: 'json', hint: 'give one of them' })
        : undefined,
  ]);
  const { deployed } = await find(runtime, wire, inputs);
  const { text, json } = deploymentVersionForms(deployed);
  runtime.log.info(inputs.json ? json : inputs.shaOnly ? deployed.sha : text);
}

/** Prints `<registry>/<image>`. Exit 1 when the group was never deployed. */
export async function getDockerImage(runtime: Runtime, wire: ReaderWire): Promise<void> {
  const inputs = readInputs(runtime, IMAGE_INPUTS);
  const { deployed, config, trees } = await find(runtime, wire, inputs);
  runtime.log.info(imageReference(registryAddress(undefined, config, trees.system), deployed.dockerImage));
}

async function find(
  runtime: Runtime,
  wire: ReaderWire,
  wanted: Wanted,
): Promise<{ readonly deployed: Deployed; readonly config: ServiceConfig; readonly trees: Trees }> {
  const trees = openTrees(wire, wanted);
  const [service, group] = [wanted.service as string, wanted.deployGroup as string];
  requireDirectory(trees, service);
  const config = trees.soa.load(service);
  const deployments = await deploymentsOf(runtime, wire, wanted, trees, config, group);
  const deployed = deployments.version(group);
  if (deployed !== undefined) return { deployed, config, trees };
  const known = [...new Set([...config.instances.flatMap(({ deployGroup }) => deployGroup ?? []), ...(config.pipelineDeployGroups ?? [])])];
  const hint =
    known.length > 0 && !known.includes(group)
      ? suggestName(group, known)
      : `mark a commit for ${group} first${deployments.source === 'deployments.json' ? ', and generate deployments.json' : ''}`;
  throw new UserError([
    problem('NOT_DEPLOYED', `A deployment could not be found for ${group} in ${service} (looked in ${deployments.source})`, {
      input: 'deploy-group',
      hint,
    }),
    ...deployments.problems.filter(({ severity }) => severity === 'error'),
  ]);
}

async function deploymentsOf(
  runtime: Runtime,
  wire: ReaderWire,
  { gitUrl, githubToken: token, githubApiUrl: apiUrl }: Wanted,
  { tree }: Trees,
  config: ServiceConfig,
  group: string,
): Promise<Deployments> {
  const { service } = config;
  const file = `${service}/deployments.json`;
  // A repository that is named wins over a file that may be older.
  const text = gitUrl === undefined ? tree.read(file) : undefined;
  if (text !== undefined) return deploymentsFromFile(service, text, file);
  // The answer is all that may reach standard output.
  const debug = (message: string): void => {
    runtime.log.debug(message);
  };
  const question = {
    repository: undefined,
    gitUrl,
    hasToken: token !== '',
    configuredUrl: config.gitUrl,
    jobRepository: runtime.env['GITHUB_REPOSITORY'],
    origin: () => originUrl(wire.run, runtime.workingDirectory),
    log: { debug, info: debug },
  };
  const place = await findPlace(question, wire.doors({ apiUrl, token }));
  const newest = place.kind === 'git' ? await place.repository.newestMark(group) : undefined;
  const refs =
    place.kind === 'git' ? (newest === undefined ? [] : [newest]) : inByteOrder(await place.repository.listRefs(markRefPrefix(group)));
  return deploymentsFromRefs(service, refs, { source: place.name });
}
