/** Inputs about repositories and registries that several stages have: one name, one meaning, one default. */
import { problem, type Problem } from '../contract/errors.ts';
import { quoted } from '../contract/validity.ts';
import { flag, optionalText, secret, text, url, type InputReader, type InputSpec } from './inputs.ts';

/** The API of GitHub and its token. */
export const GITHUB_INPUTS = {
  'github-token': secret({ env: 'GITHUB_TOKEN' }),
  'github-api-url': url({ env: 'GITHUB_API_URL' }),
} satisfies InputSpec;

/** How the registry is spoken to. `registry` itself is checked by the registry's own room. */
export const REGISTRY_LOGIN_INPUTS = {
  'insecure-registry': flag(),
  'registry-username': text(),
  'registry-password': secret(),
} satisfies InputSpec;

const SCHEMES = ['http', 'https', 'ssh', 'git', 'git+ssh', 'file'];

/** Address of a git repository, or its path; `undefined` when not given. What git would take for an option or for a program to start (`ext::`) is refused. */
export function gitUrl(): InputReader<string | undefined> {
  return optionalText({
    check: (value, input) => {
      const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(?!-)/.exec(value)?.[1]?.toLowerCase();
      const plain = !/[\s\p{Cc}]/u.test(value) && !value.startsWith('-') && !/^[A-Za-z0-9]+::/.test(value);
      if (plain && (scheme === undefined ? !value.includes('://') : SCHEMES.includes(scheme))) return undefined;
      return problem('BAD_INPUT', `${input}: ${quoted(value.replace(/\/\/[^@/]*@/, '//***@'))} is not a git address`, {
        input,
        hint: 'write https://host/owner/name.git, ssh://…, git@host:owner/name.git or a path',
      });
    },
  });
}

/** `owner/name` on the server of the API; `undefined` when not given. */
export function repository(): InputReader<string | undefined> {
  return optionalText({
    check: (value, input) => {
      if (/^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\/[A-Za-z0-9._-]{1,100}$/.test(value) && !/\/\.{1,2}$/.test(value)) return undefined;
      return problem('BAD_INPUT', `${input}: ${quoted(value)} is not a repository`, { input, hint: 'write owner/name' });
    },
  });
}

/** Rule: a repository is named once. `which`: what it is for. */
export function oneRepository(
  which: string,
): (inputs: { readonly gitUrl: string | undefined; readonly repository: string | undefined }) => Problem | undefined {
  return (inputs) =>
    inputs.gitUrl !== undefined && inputs.repository !== undefined
      ? problem('BAD_INPUT', `git-url and repository both name the repository ${which}`, { input: 'git-url', hint: 'give one of them' })
      : undefined;
}

/** Rule: `git-url` is the repository of one service. */
export function urlNeedsService(inputs: {
  readonly gitUrl: string | undefined;
  readonly service: string | undefined;
}): Problem | undefined {
  return inputs.gitUrl !== undefined && inputs.service === undefined
    ? problem('BAD_INPUT', 'git-url is the repository of one service, but no service is given', {
        input: 'git-url',
        hint: "give 'service', too",
      })
    : undefined;
}

/** Rule: user and password of the registry come together. */
export function wholeRegistryLogin({
  registryUsername,
  registryPassword,
}: {
  readonly registryUsername: string;
  readonly registryPassword: string;
}): Problem | undefined {
  if ((registryUsername === '') === (registryPassword === '')) return undefined;
  const [missing, given] =
    registryUsername === '' ? (['registry-username', 'registry-password'] as const) : (['registry-password', 'registry-username'] as const);
  return problem('BAD_INPUT', `${missing} is missing beside ${given}`, { input: missing, hint: 'give both or none' });
}
