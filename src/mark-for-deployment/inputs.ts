import { isShortCommit, parseCommit } from '../shared/contract/commit.ts';
import { problem, type Problem } from '../shared/contract/errors.ts';
import { quoted } from '../shared/contract/validity.ts';
import { registryProblem } from '../shared/registry/index.ts';
import { deployGroup, duration, flag, imageVersion, optionalText, readInputs, secret, service, soaDir, systemConfigDir, text, url, type Inputs, type InputSource, type InputSpec } from '../shared/runtime/inputs.ts';

/** What action-mark-for-deployment/action.yml offers. Options of `paasta mark-for-deployment`: paasta_tools/cli/cmds/mark_for_deployment.py. */
export const INPUTS = {
  service: service(),
  'deploy-group': deployGroup({ required: true }),
  commit: optionalText({ check: commitProblem }),
  'image-version': imageVersion(),
  'git-url': optionalText({ check: gitUrlProblem }),
  repository: optionalText({ check: repositoryProblem }),
  'github-token': secret({ env: 'GITHUB_TOKEN' }),
  'github-api-url': url({ env: 'GITHUB_API_URL' }),
  'verify-image': flag({ default: 'true' }),
  'wait-for-image': flag(),
  timeout: duration({ default: '30m', min: 1_000 }),
  registry: optionalText({ check: registryProblem }),
  'insecure-registry': flag(),
  'registry-username': text(),
  'registry-password': secret(),
  'allow-unknown-group': flag(),
  'allow-older': flag(),
  'allow-rolled-back': flag(),
  'create-deployment': flag({ default: 'true' }),
  'soa-dir': soaDir(),
  'system-config-dir': systemConfigDir(),
  'dry-run': flag(),
} satisfies InputSpec;

export type MarkInputs = Inputs<typeof INPUTS>;

/** All inputs, or every problem with them at once. */
export function readMarkInputs(runtime: InputSource): MarkInputs {
  return readInputs(runtime, INPUTS, [
    ({ gitUrl, repository }) => (gitUrl !== undefined && repository !== undefined ? problem('BAD_INPUT', 'git-url and repository both name the repository to mark in', { input: 'git-url', hint: 'give one of them' }) : undefined),
    ({ verifyImage, waitForImage }) => (waitForImage && !verifyImage ? problem('BAD_INPUT', 'wait-for-image waits for an image that verify-image: false does not look for', { input: 'wait-for-image', hint: 'leave verify-image at true' }) : undefined),
    ({ registryUsername, registryPassword }) => ((registryUsername === '') !== (registryPassword === '') ? problem('BAD_INPUT', `registry-${registryUsername === '' ? 'username' : 'password'} is missing beside registry-${registryUsername === '' ? 'password' : 'username'}`, { input: registryUsername === '' ? 'registry-username' : 'registry-password', hint: 'give both or none' }) : undefined),
  ]);
}

/** A full commit id, or the beginning of one: 4 digits at least, as PaaSTA's short validator. */
function commitProblem(value: string, input: string): Problem | undefined {
  if (isShortCommit(value.toLowerCase())) return undefined;
  const parsed = parseCommit(value, input);
  return typeof parsed === 'string' ? undefined : parsed;
}

function repositoryProblem(value: string, input: string): Problem | undefined {
  if (/^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\/[A-Za-z0-9._-]{1,100}$/.test(value) && !/\/\.{1,2}$/.test(value)) return undefined;
  return problem('BAD_INPUT', `${input}: ${quoted(value)} is not a repository`, { input, hint: 'write owner/name' });
}

/** Addresses that git would take for an option or for a program to start (`ext::`) are refused. */
function gitUrlProblem(value: string, input: string): Problem | undefined {
  const good = !/[\u0000-\u0020\u007f]/.test(value) && !value.startsWith('-') && !/^[A-Za-z0-9]+::/.test(value) && (/^(?:https?|ssh|git|git\+ssh|file):\/\/[^-]/.test(value) || /^(?:[\w.-]+@)?[\w][\w.-]*:[^:]/.test(value) || /^[./\w]/.test(value)) && (!value.includes('://') || /^(?:https?|ssh|git|git\+ssh|file):\/\//.test(value));
  if (good) return undefined;
  return problem('BAD_INPUT', `${input}: ${quoted(value)} is not a git address`, { input, hint: 'write https://host/owner/name.git, ssh://…, git@host:owner/name.git or a path' });
}
