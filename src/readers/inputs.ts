/** Options of the reading words. Upstream: paasta_tools/cli/cmds/{check,list,list_clusters,info,get_latest_deployment,get_docker_image}.py. */
import { deployGroup, flag, service, TREE_INPUTS, type InputSpec } from '../shared/runtime/inputs.ts';
import { GITHUB_INPUTS, gitUrl } from '../shared/runtime/repository-inputs.ts';

/** Where versions come from when there is no deployments.json. */
const REPOSITORY = { 'git-url': gitUrl(), ...GITHUB_INPUTS } satisfies InputSpec;

export const CHECK_INPUTS = { service: service(), 'git-url': gitUrl(), json: flag(), ...TREE_INPUTS } satisfies InputSpec;
export const LIST_INPUTS = { all: flag(), 'print-instances': flag(), ...TREE_INPUTS } satisfies InputSpec;
export const LIST_CLUSTERS_INPUTS = TREE_INPUTS;
export const INFO_INPUTS = { service: service(), ...TREE_INPUTS } satisfies InputSpec;
export const LATEST_INPUTS = {
  service: service({ required: true }),
  'deploy-group': deployGroup({ required: true }),
  'sha-only': flag(),
  json: flag(),
  ...REPOSITORY,
  ...TREE_INPUTS,
} satisfies InputSpec;
export const IMAGE_INPUTS = {
  service: service({ required: true }),
  'deploy-group': deployGroup({ required: true }),
  ...REPOSITORY,
  ...TREE_INPUTS,
} satisfies InputSpec;

/** By word of the command: what the contract test compares with the options. */
export const INPUTS_OF: Readonly<Record<string, InputSpec>> = {
  check: CHECK_INPUTS,
  list: LIST_INPUTS,
  'list-clusters': LIST_CLUSTERS_INPUTS,
  info: INFO_INPUTS,
  'get-latest-deployment': LATEST_INPUTS,
  'get-docker-image': IMAGE_INPUTS,
};
