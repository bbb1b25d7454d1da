/**
 * Pushes an image under the tags of its version. Rules: paasta_tools/cli/cmds/push_to_registry.py. A tag that is there is
 * never overwritten unless forced; when the registry gives no certain answer, nothing is pushed.
 */
import { formatDuration } from '../shared/contract/durations.ts';
import { CancelledError, problem, UserError, warning } from '../shared/contract/errors.ts';
import type { Clock, Log } from '../shared/contract/ports.ts';
import type { Docker } from '../shared/docker/index.ts';

/** The registry, as far as pushing asks it. */
export interface PushRegistry {
  resolveDigest(reference: string): Promise<{ readonly digest: string } | undefined>;
}

/** The docker engine, as far as pushing needs it. */
export type PushDocker = Pick<Docker, 'requireEngine' | 'inspect' | 'tag' | 'push'>;

export interface PushPorts {
  readonly registry: PushRegistry;
  readonly docker: PushDocker;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal?: AbortSignal;
}

export interface PushRequest {
  /** Reference of the version: what itest built. */
  readonly reference: string;
  /** The same commit without image version, pushed first; `undefined`: none. */
  readonly legacyReference: string | undefined;
  readonly force: boolean;
  /** Milliseconds that one push may take. */
  readonly timeout: number;
  readonly dryRun: boolean;
}

/** What became of one reference. */
export interface PushedImage {
  readonly reference: string;
  readonly state: 'pushed' | 'already-present' | 'replaced' | 'would-push' | 'would-replace';
  /** `undefined` only in a dry run. */
  readonly digest: string | undefined;
  /** Digest that the tag had before, when it was forced. */
  readonly replaced: string | undefined;
}

/** How often a push that failed for a passing reason is tried, the first time included. */
const ATTEMPTS = 4;
const FIRST_PAUSE = 2_000;

/** Pushes what is missing; the images in the order of the pushes, the version's own last. Reports each one as soon as it is known. */
export async function pushImages(
  request: PushRequest,
  ports: PushPorts,
  report: (image: PushedImage) => void,
): Promise<readonly PushedImage[]> {
  const { registry, docker, log } = ports;
  const { reference, legacyReference, force, dryRun } = request;
  // Legacy tag first, as PaaSTA: whoever only knows the old form finds the commit even if the second push fails.
  const references = legacyReference === undefined ? [reference] : [legacyReference, reference];
  const done: PushedImage[] = [];
  let local: string | undefined;
  for (const target of references) {
    const there = await registry.resolveDigest(target);
    const finish = (state: PushedImage['state'], digest: string | undefined): void => {
      const image: PushedImage = {
        reference: target,
        state,
        digest,
        replaced: state === 'replaced' || state === 'would-replace' ? there?.digest : undefined,
      };
      done.push(image);
      report(image);
    };
    if (there !== undefined && !force) {
      log.info(`${target} is in the registry already (${there.digest}); it is not overwritten`);
      finish('already-present', there.digest);
      continue;
    }
    if (local === undefined) {
      await docker.requireEngine();
      local = (await docker.inspect(reference))?.id;
    }
    if (local === undefined) {
      throw new UserError(
        problem('LOCAL_IMAGE_MISSING', `there is no local image ${reference} to push`, {
          hint: 'run itest for this commit and image version first, as a step of the same job: an image lives on one machine',
        }),
      );
    }
    if (dryRun) {
      log.info(`dry run: would push ${target}${there === undefined ? '' : `, replacing ${there.digest}`}`);
      finish(there === undefined ? 'would-push' : 'would-replace', undefined);
      continue;
    }
    if (there !== undefined) log.info(`force: ${target} is in the registry as ${there.digest} and will be replaced`);
    if (target !== reference) await docker.tag(reference, target);
    const sent = await push(target, request, ports);
    const digest = (await registry.resolveDigest(target))?.digest;
    if (digest === undefined) {
      throw new UserError(
        problem('PUSH_NOT_VISIBLE', `docker pushed ${target}, but the registry does not have it`, {
          hint: 'docker and this action may reach different registries (mirror, proxy, DNS); compare the two',
        }),
      );
    }
    if (sent !== undefined && sent !== digest) {
      log.problem(
        warning(
          'PUSH_OVERTAKEN',
          `docker pushed ${target} as ${sent}, but the registry has ${digest}: another run pushed the same tag at the same moment`,
          { hint: 'build and push one commit in one job only' },
        ),
      );
    }
    if (there !== undefined) log.info(`${target}: ${there.digest} -> ${digest}${there.digest === digest ? ' (the same content)' : ''}`);
    finish(there === undefined ? 'pushed' : 'replaced', digest);
  }
  return done;
}

/** Pushes one tag, patiently; the digest that docker reported. */
async function push(target: string, request: PushRequest, { docker, clock, log, signal }: PushPorts): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    const result = await log.group(`docker push ${target}${attempt === 1 ? '' : ` (attempt ${attempt} of ${ATTEMPTS})`}`, () =>
      docker.push(target, { timeout: request.timeout, onLine: (line) => log.info(line) }),
    );
    if (result.ok) return result.digest;
    if (signal?.aborted === true) throw new CancelledError();
    if (!result.transient || attempt >= ATTEMPTS) throw new UserError(result.problem);
    const pause = FIRST_PAUSE * 2 ** (attempt - 1);
    log.info(`${result.problem.message}; trying again in ${formatDuration(pause)}`);
    await clock.sleep(pause, signal);
  }
}
