/** What a word of the command is, and the options that several words have. */
import type { Runtime } from '../shared/contract/ports.ts';
import type { Option } from './options.ts';

/** A word of the command. */
export interface Word {
  readonly name: string;
  /** Directory of the stage (and of its action: `action-<stage>`; the words of `readers` have no action). */
  readonly stage: string;
  readonly about: string;
  readonly options: readonly Option[];
  /** Inputs of the stage that the word itself says: `stop` is `control` with `action: stop`. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Its answer is all that goes to standard output: what a job would have as a summary is not printed. */
  readonly plain?: boolean;
  /** Loads the stage and returns its main, wired to the real world. */
  readonly load: () => Promise<(runtime: Runtime) => Promise<void>>;
}

export const SERVICE: Option = {
  names: ['--service', '-s'],
  value: 'NAME',
  input: 'service',
  help: "name of the service in soa-configs; a leading 'services-' and trailing '/' are taken off. Default: the one whose repository this is",
};
export const IMAGE_VERSION: Option = {
  names: ['--image-version', '-i'],
  value: 'VERSION',
  input: 'image-version',
  help: 'names a rebuild of the same commit, such as 20240102T030405',
};
export const SOA_DIR: Option = {
  names: ['--soa-dir', '-d'],
  value: 'DIR',
  input: 'soa-dir',
  help: 'soa-configs. Default: $PAASTA_SOA_DIR, else /nail/etc/services',
};
/** PaaSTA's readers call it `-y`, too. */
export const SOA_DIR_OF_READERS: Option = { ...SOA_DIR, names: [...SOA_DIR.names, '-y'] };
export const SYSTEM_CONFIG_DIR: Option = {
  names: ['--system-config-dir'],
  value: 'DIR',
  input: 'system-config-dir',
  help: 'system configuration. Default: $PAASTA_SYSTEM_CONFIG_DIR, else /etc/paasta',
};
export const DRY_RUN: Option = { names: ['--dry-run'], input: 'dry-run', help: 'say what would be done, and do nothing' };
export const REGISTRY: Option = {
  names: ['--registry'],
  value: 'HOST[/PATH]',
  input: 'registry',
  help: 'registry to use instead of the configured docker_registry',
};
export const INSECURE: Option = { names: ['--insecure-registry'], input: 'insecure-registry', help: 'the registry may speak plain HTTP' };
const REGISTRY_USERNAME: Option = {
  names: ['--registry-username'],
  value: 'NAME',
  input: 'registry-username',
  help: "user of the registry; the password comes from $PAASTA_REGISTRY_PASSWORD. Default: docker's own credentials",
};
/** Never an option: the arguments of a process can be read by everybody on the machine. */
const REGISTRY_PASSWORD: Option = { names: [], env: 'PAASTA_REGISTRY_PASSWORD', input: 'registry-password', help: '' };
const GITHUB_TOKEN: Option = { names: [], env: 'GITHUB_TOKEN', input: 'github-token', help: '' };
const GITHUB_API_URL: Option = {
  names: ['--github-api-url'],
  value: 'URL',
  input: 'github-api-url',
  env: 'GITHUB_API_URL',
  help: 'API of GitHub or of GitHub Enterprise Server. The token comes from $GITHUB_TOKEN',
};

/** The registry and its login. */
export const REGISTRY_LOGIN: readonly Option[] = [REGISTRY, INSECURE, REGISTRY_USERNAME, REGISTRY_PASSWORD];
export const GITHUB: readonly Option[] = [GITHUB_API_URL, GITHUB_TOKEN];
/** Without `-i`, which PaaSTA's words about images do not have. */
const LONG_IMAGE_VERSION: Option = { ...IMAGE_VERSION, names: ['--image-version'] };

/** What the image of a commit is found by. */
export function image(help: string): readonly Option[] {
  return [SERVICE, commit(['--commit', '-c'], help), LONG_IMAGE_VERSION, SOA_DIR];
}

/** Where the tags of a service are. */
export function gitUrl(help: string): Option {
  return { names: ['--git-url', '-u'], value: 'URL', input: 'git-url', help };
}

export function repository(help: string): Option {
  return { names: ['--repository'], value: 'OWNER/NAME', input: 'repository', help };
}

export function stopBindsTo(help: string): Option {
  return { names: ['--stop-binds-to'], value: 'mark|commit', input: 'stop-binds-to', help };
}

export function json(help: string, more: Pick<Option, 'commandOnly'> = {}): Option {
  return { names: ['--json', '-j'], input: 'json', ...more, help };
}

/** The services of a word that can do all. */
export const ONLY_SERVICE: Option = {
  ...SERVICE,
  help: "only this service; a leading 'services-' and trailing '/' are taken off. Default: every service",
};

export function commit(names: readonly string[], help: string): Option {
  return { names, value: 'SHA', input: 'commit', help };
}

export function timeout(names: readonly string[], help: string): Option {
  return { names, value: 'TIME', input: 'timeout', help: `${help}. Write 90s, 10m, 1h30m; a bare number is seconds` };
}
