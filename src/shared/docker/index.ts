/**
 * The docker command line: image of the last build, tags, push. Goes through the command and not through the engine's
 * socket, so that contexts, credential helpers and plugins of the user apply (podman's docker command included).
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { problem, UserError } from '../contract/errors.ts';
import { splitReference } from '../contract/image.ts';
import { describeCommand, type Run, type RunOptions, type RunResult } from '../process/index.ts';
import { engineRefusal, pushRefusal, type PushRefusal } from './refusals.ts';

export { engineRefusal, pushRefusal, type PushRefusal } from './refusals.ts';

/** An image of the engine. */
export interface DockerImage {
  /** `sha256:…`: of the image's configuration (or of its index, with containerd's image store). */
  readonly id: string;
  readonly tags: readonly string[];
  /** `<repository>@sha256:…` for every repository that it was pushed to or pulled from. */
  readonly digests: readonly string[];
  /** As the build recorded it; a reproducible build may say 1970. */
  readonly created: string;
  /** Bytes. */
  readonly size: number;
}

export type PushResult =
  | { readonly ok: true; /** `sha256:…` of the manifest; `undefined` when docker did not say. */ readonly digest: string | undefined }
  | ({ readonly ok: false; readonly output: string } & PushRefusal);

/** The builder that `docker build` uses. */
export interface Builder {
  readonly name: string;
  readonly driver: string;
  /** Whether its images end up in the engine without `--load`. */
  readonly loads: boolean;
}

export interface Docker {
  /** Throws `UserError` NO_DOCKER, NO_DOCKER_ENGINE or DOCKER_DENIED unless an engine answers. Returns its version. */
  requireEngine(): Promise<string>;
  /** The image of a reference or id; `undefined` when the engine has none. */
  inspect(reference: string): Promise<DockerImage | undefined>;
  /** Takes the tag away (the image goes when it was the last one). Returns whether there was one. Throws `UserError` IMAGE_IN_USE. */
  untag(reference: string): Promise<boolean>;
  /** Throws `UserError` IMAGE_NOT_FOUND when there is no such source. */
  tag(source: string, target: string): Promise<void>;
  /** Uploads one tag. A refusal is a value: the caller decides whether to try again. */
  push(reference: string, options?: Pick<RunOptions, 'timeout' | 'onLine'>): Promise<PushResult>;
  /** `undefined` without buildx. */
  builder(): Promise<Builder | undefined>;
}

export interface DockerSetting {
  readonly run: Run;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
}

/** Milliseconds that the engine has for an answer about an image. */
const ANSWER = 60_000;

export function createDocker({ run, env, signal }: DockerSetting): Docker {
  const docker = async (args: readonly string[], options: RunOptions = {}): Promise<RunResult> => {
    const argv = ['docker', ...args];
    // English messages, without progress bars and colours: they are read by us.
    const result = await run(argv, {
      timeout: ANSWER,
      ...(signal === undefined ? {} : { signal }),
      ...options,
      env: { ...env, LC_ALL: 'C', NO_COLOR: '1' },
    });
    if (result.timedOut && options.timeout === undefined) {
      throw new UserError(
        problem('DOCKER_SILENT', `docker did not answer within ${String(ANSWER / 1_000)} s: ${describeCommand(argv)}`, {
          hint: 'check the engine with docker info',
        }),
      );
    }
    return result;
  };
  const refuse = (result: RunResult, what: string): never => {
    const found = engineRefusal(result.stderr);
    throw new UserError(
      found ?? problem('DOCKER_FAILED', `docker could not ${what}: ${lastLine(result.stderr)}`, { hint: 'the output of docker is above' }),
    );
  };

  return {
    requireEngine: async () => {
      const result = await docker(['version', '--format', '{{.Server.Version}}']).catch((error: unknown) => {
        if (!(error instanceof UserError) || error.problems[0]?.code !== 'PROGRAM_NOT_FOUND') throw error;
        throw new UserError(
          problem('NO_DOCKER', 'the docker command is not installed (or not on PATH)', {
            hint: 'use a runner with docker, such as ubuntu-latest, or install docker',
          }),
          { cause: error },
        );
      });
      if (result.code !== 0) refuse(result, 'reach its engine');
      return result.stdout.trim();
    },

    inspect: async (reference) => {
      const result = await docker(['image', 'inspect', '--', reference]);
      if (result.code === 0) return firstImage(result.stdout);
      if (/no such (?:image|object)/i.test(result.stderr)) return undefined;
      return refuse(result, `inspect ${reference}`);
    },

    untag: async (reference) => {
      // --no-prune keeps the parents: they are the cache of the classic builder.
      const result = await docker(['image', 'rm', '--force', '--no-prune', '--', reference]);
      if (result.code === 0) return !/no such image/i.test(result.stderr);
      if (/no such image/i.test(result.stderr)) return false;
      if (/conflict/i.test(result.stderr)) {
        throw new UserError(
          problem('IMAGE_IN_USE', `the tag ${reference} of an earlier build cannot be removed: ${lastLine(result.stderr)}`, {
            hint: 'stop the container that runs it (docker ps), then start again',
          }),
        );
      }
      return refuse(result, `remove the tag ${reference}`);
    },

    tag: async (source, target) => {
      const result = await docker(['image', 'tag', source, target]);
      if (result.code === 0) return;
      if (/no such image/i.test(result.stderr)) {
        throw new UserError(
          problem('IMAGE_NOT_FOUND', `the engine has no image ${source}`, {
            hint: 'run itest in the same job, before this step: an image lives on the machine that built it',
          }),
        );
      }
      refuse(result, `tag ${source} as ${target}`);
    },

    push: async (reference, options = {}) => {
      const result = await docker(['image', 'push', '--', reference], { timeout: 3_600_000, ...options });
      const output = `${result.stdout}\n${result.stderr}`;
      if (result.code === 0) {
        const told = /digest:\s*(sha256:[0-9a-f]{64})/.exec(output)?.[1];
        return { ok: true, digest: told ?? (await pushedDigest(docker, reference)) };
      }
      return { ok: false, output, ...pushRefusal(reference, result) };
    },

    builder: async () => {
      const result = await docker(['buildx', 'inspect']);
      if (result.code !== 0) return undefined;
      const name = /^Name:\s*(\S+)/m.exec(result.stdout)?.[1];
      const driver = /^Driver:\s*(\S+)/m.exec(result.stdout)?.[1];
      if (name === undefined || driver === undefined) return undefined;
      return { name, driver, loads: driver === 'docker' || /default-load="?true/.test(result.stdout) };
    },
  };
}

/** docker's own credentials: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. */
export function credentialsFile(env: Readonly<Record<string, string | undefined>>): string {
  const directory = env['DOCKER_CONFIG'];
  if (directory !== undefined && directory !== '') return join(directory, 'config.json');
  const home = env['HOME'];
  return join(home === undefined || home === '' ? homedir() : home, '.docker', 'config.json');
}

async function pushedDigest(docker: (args: readonly string[]) => Promise<RunResult>, reference: string): Promise<string | undefined> {
  const result = await docker(['image', 'inspect', '--', reference]);
  if (result.code !== 0) return undefined;
  const { repository } = splitReference(reference);
  return firstImage(result.stdout)
    ?.digests.find((digest) => digest.startsWith(`${repository}@`))
    ?.slice(repository.length + 1);
}

function firstImage(json: string): DockerImage | undefined {
  const [image] = JSON.parse(json) as readonly {
    Id: string;
    RepoTags?: readonly string[] | null;
    RepoDigests?: readonly string[] | null;
    Created?: string;
    Size?: number;
  }[];
  if (image === undefined) return undefined;
  return {
    id: image.Id,
    tags: image.RepoTags ?? [],
    digests: image.RepoDigests ?? [],
    created: image.Created ?? '',
    size: image.Size ?? 0,
  };
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
