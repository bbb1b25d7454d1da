/** Options of the reading words. Upstream: paasta_tools/cli/cmds/{check,list,list_clusters,info,get_latest_deployment,get_docker_image}.py. */
import { problem, type Problem } from '../shared/contract/errors.ts';
import { quoted } from '../shared/contract/validity.ts';
import { deployGroup, flag, optionalText, secret, service, soaDir, systemConfigDir, url, type InputSpec } from '../shared/runtime/inputs.ts';

const TREES = { 'soa-dir': soaDir(), 'system-config-dir': systemConfigDir() } satisfies InputSpec;

/** Where versions come from when there is no deployments.json. */
const REPOSITORY = {
  'git-url': optionalText({ check: gitUrlProblem }),
  'github-token': secret({ env: 'GITHUB_TOKEN' }),
  'github-api-url': url({ env: 'GITHUB_API_URL' }),
} satisfies InputSpec;

export const CHECK_INPUTS = { service: service(), 'git-url': optionalText({ check: gitUrlProblem }), json: flag(), ...TREES } satisfies InputSpec;
export const LIST_INPUTS = { all: flag(), 'print-instances': flag(), ...TREES } satisfies InputSpec;
export const LIST_CLUSTERS_INPUTS = TREES;
export const INFO_INPUTS = { service: service(), ...TREES } satisfies InputSpec;
export const LATEST_INPUTS = { service: service({ required: true }), 'deploy-group': deployGroup({ required: true }), 'sha-only': flag(), json: flag(), ...REPOSITORY, ...TREES } satisfies InputSpec;
export const IMAGE_INPUTS = { service: service({ required: true }), 'deploy-group': deployGroup({ required: true }), ...REPOSITORY, ...TREES } satisfies InputSpec;

/** By word of the command: what the contract test compares with the options. */
export const INPUTS_OF: Readonly<Record<string, InputSpec>> = {
  check: CHECK_INPUTS,
  list: LIST_INPUTS,
  'list-clusters': LIST_CLUSTERS_INPUTS,
  info: INFO_INPUTS,
  'get-latest-deployment': LATEST_INPUTS,
  'get-docker-image': IMAGE_INPUTS,
};

/** Addresses that git would take for an option or for a program to start (`ext::`) are refused. */
function gitUrlProblem(value: string, input: string): Problem | undefined {
  const plain = !/[\s\p{Cc}]/u.test(value) && !value.startsWith('-') && !/^[A-Za-z0-9]+::/.test(value);
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(value)?.[1]?.toLowerCase();
  if (plain && (scheme === undefined || ['http', 'https', 'ssh', 'git', 'git+ssh', 'file'].includes(scheme))) return undefined;
  return problem('BAD_INPUT', `${input}: ${quoted(value)} is not a git address`, { input, hint: 'write https://host/owner/name.git, ssh://…, git@host:owner/name.git or a path' });
}
