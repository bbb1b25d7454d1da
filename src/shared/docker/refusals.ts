/** What docker's messages mean, and what to do about them. */
import { problem, type Problem } from '../contract/errors.ts';
import { splitReference } from '../contract/image.ts';
import type { RunResult } from '../process/index.ts';

/** Why a push did not work. */
export interface PushRefusal {
  /** Whether trying again can help. */
  readonly transient: boolean;
  readonly problem: Problem;
}

/** The engine cannot be reached; `undefined` when the text says something else. */
export function engineRefusal(stderr: string): Problem | undefined {
  if (/permission denied/i.test(stderr) && /docker(?:\.sock| daemon| API)/i.test(stderr)) {
    return problem('DOCKER_DENIED', 'this user may not talk to the docker engine', {
      hint: 'add the user of the runner to the group docker, or use a rootless engine',
    });
  }
  if (
    /cannot connect to the docker daemon|is the docker daemon running|failed to connect to the docker API|error during connect/i.test(
      stderr,
    )
  ) {
    return problem('NO_DOCKER_ENGINE', `no docker engine answers: ${stderr.trim().split('\n')[0] ?? ''}`, {
      hint: 'start the engine on this runner, or point DOCKER_HOST (or the docker context) at one',
    });
  }
  return undefined;
}

interface Rule {
  readonly pattern: RegExp;
  readonly code: string;
  readonly transient: boolean;
  readonly what: string;
  readonly hint: (registry: string, repository: string) => string;
}

/** The first rule that matches counts. */
const RULES: readonly Rule[] = [
  {
    pattern: /an image does not exist locally|tag does not exist|no such image/i,
    code: 'IMAGE_NOT_FOUND',
    transient: false,
    what: 'the engine has no such image',
    hint: () => 'run itest in the same job, before this step: an image lives on the machine that built it',
  },
  {
    pattern: /name unknown|repository .*(?:does not exist|not found)|RepositoryNotFound/i,
    code: 'REPOSITORY_MISSING',
    transient: false,
    what: 'the registry has no such repository',
    hint: (_registry, repository) => `create the repository '${repository}' first: this registry (ECR, for one) does not create it on push`,
  },
  {
    pattern: /quota|storage limit|will exceed the configured upper limit|no space left on device/i,
    code: 'REGISTRY_QUOTA',
    transient: false,
    what: 'the registry has no room left for it',
    hint: () => 'raise the quota, or let a retention rule delete old images (never those that a deploy group runs)',
  },
  {
    pattern: /no basic auth credentials|unauthorized|authentication required|incorrect username or password|\b401\b(?!:)/i,
    code: 'REGISTRY_UNAUTHORIZED',
    transient: false,
    what: 'the registry does not know these credentials',
    hint: (registry) => `log in to ${registry} before this step (docker login); a login for another host name does not count`,
  },
  {
    pattern: /denied|forbidden|insufficient_scope|\b403\b(?!:)/i,
    code: 'REGISTRY_DENIED',
    transient: false,
    what: 'the registry refuses the push',
    hint: (registry) =>
      registry === 'ghcr.io'
        ? 'give the job permissions: packages: write, and let the package grant access to this repository'
        : 'give the account the right to push to this repository, and check that the repository exists',
  },
  {
    pattern: /tag .*immutable|ImageTagAlreadyExists|cannot be overwritten/i,
    code: 'TAG_IMMUTABLE',
    transient: false,
    what: 'the registry has this tag already and does not let it be overwritten',
    hint: () => 'an image is pushed once; use an image-version to rebuild the same commit',
  },
  {
    pattern: /server gave HTTP response to HTTPS client/i,
    code: 'REGISTRY_PLAIN_HTTP',
    transient: false,
    what: 'the registry speaks plain HTTP',
    hint: (registry) => `add ${registry} to insecure-registries of the docker engine, or give the registry a certificate`,
  },
  {
    pattern: /x509|certificate/i,
    code: 'REGISTRY_CERTIFICATE',
    transient: false,
    what: 'the certificate of the registry is not trusted',
    hint: (registry) => `put its CA into /etc/docker/certs.d/${registry}/ca.crt on this runner`,
  },
  {
    pattern: /toomanyrequests|too many requests|\b429\b(?!:)/i,
    code: 'REGISTRY_BUSY',
    transient: true,
    what: 'the registry limits the rate of requests',
    hint: () => 'wait, or use an account with a higher limit',
  },
  {
    pattern:
      /connection refused|no such host|connection reset|timeout|timed out|TLS handshake|\bEOF\b|network is unreachable|server misbehaving|\b5\d\d\b|unknown blob|blob upload|service unavailable|internal server error|bad gateway/i,
    code: 'REGISTRY_UNREACHABLE',
    transient: true,
    what: 'the registry does not answer as it should',
    hint: (registry) => `check that ${registry} is reachable from this runner`,
  },
];

export function pushRefusal(
  reference: string,
  result: Pick<RunResult, 'stdout' | 'stderr' | 'timedOut' | 'cancelled' | 'code'>,
): PushRefusal {
  const { repository, tag } = splitReference(reference);
  const registry = repository.split('/')[0] ?? repository;
  const path = repository.slice(registry.length + 1);
  const text = result.stderr.trim() === '' ? result.stdout : result.stderr;
  const said = text.trim().split('\n').at(-1) ?? '';
  if (result.timedOut) {
    return {
      transient: false,
      problem: problem('PUSH_TIMEOUT', `pushing ${reference} took longer than allowed`, {
        input: 'timeout',
        hint: 'give it more time, or look at the network of this runner',
      }),
    };
  }
  const engine = engineRefusal(text);
  if (engine !== undefined) return { transient: false, problem: engine };
  // A service may be called `quota`, and docker repeats the address that it asked: names are no reasons.
  const nameless = (line: string): string =>
    [path, tag ?? ''].reduce((rest, name) => (name === '' ? rest : rest.replaceAll(name, '')), line);
  const rule = RULES.find(({ pattern }) => pattern.test(nameless(said))) ?? RULES.find(({ pattern }) => pattern.test(nameless(text)));
  if (rule === undefined)
    return {
      transient: false,
      problem: problem('PUSH_FAILED', `pushing ${reference} failed (exit ${String(result.code)}): ${said}`, {
        hint: 'the output of docker is above',
      }),
    };
  return {
    transient: rule.transient,
    problem: problem(rule.code, `pushing ${reference}: ${rule.what}: ${said}`, { hint: rule.hint(registry, path) }),
  };
}
