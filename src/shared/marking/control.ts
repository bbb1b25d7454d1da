/**
 * start, stop and restart: light tags `paasta-<cluster>.<instance>-<timestamp>-<start|stop>` on the commit that the deploy group of the
 * instance runs. Upstream: paasta_tools/cli/cmds/start_stop_restart.py. Other than PaaSTA the tags are never forced, a second that is
 * taken (by a start or a stop) means the next one, and a mark that comes in between is noticed.
 */
import { sameVersion, shortVersion, type DeploymentVersion } from '../contract/deployment-version.ts';
import { problem, UserError, warning, type Problem } from '../contract/errors.ts';
import type { Clock, Log } from '../contract/ports.ts';
import { ALL_TAGS_PREFIX, controlTag, markRefPrefix, tagRef, type ControlAction } from '../contract/tags.ts';
import { formatTimestamp, isTimestamp, nextSecond } from '../contract/timestamps.ts';
import { controlIndex, deploymentsFromRefs, inByteOrder, runningSince, type RefDeployments } from '../deployments/index.ts';
import type { Ref } from '../deployments/types.ts';
import type { MarkRepository } from './types.ts';

/** Restart is a start with a new token, as in PaaSTA. */
export type ControlVerb = 'start' | 'stop' | 'restart';

export interface ControlTarget {
  readonly cluster: string;
  readonly instance: string;
  readonly deployGroup: string;
}

export interface ControlRequest {
  readonly service: string;
  readonly verb: ControlVerb;
  readonly targets: readonly ControlTarget[];
  /** How the readers of the tags bind a stop: to the mark that it was said under, or (PaaSTA) to the commit. */
  readonly stopBindsTo: 'mark' | 'commit';
  readonly dryRun: boolean;
}

export interface ControlPorts {
  readonly repository: Pick<MarkRepository, 'listRefs' | 'createTag'>;
  /** Name of the repository, for messages. */
  readonly place: string;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Pick<Log, 'debug' | 'info'>;
}

/**
 * `written`: this run made the tag; `planned`: a dry run would; `unchanged`: it was stopped already; `not-marked`: its group runs nothing;
 * `failed`: the tag could not be made; `not-tried`: an earlier one failed.
 */
export type ControlState = 'written' | 'planned' | 'unchanged' | 'not-marked' | 'failed' | 'not-tried';

export interface ControlResult extends ControlTarget {
  readonly state: ControlState;
  /** Tag that says it: the new one, the planned one, or the one that said so before. */
  readonly tag: string | undefined;
  /** Version that the tag is about. */
  readonly version: DeploymentVersion | undefined;
  /** What the instance was before. */
  readonly before: ControlAction | undefined;
}

export interface ControlOutcome {
  /** In the order of the targets. */
  readonly results: readonly ControlResult[];
  /** Errors (a group without a mark, a refused tag) and warnings. */
  readonly problems: readonly Problem[];
}

/** How often the next second is tried when a name is taken. */
const MAX_TRIES = 5;
/** How often the group may be marked with another version while we write. */
const MAX_ROUNDS = 3;
const CLOCK_SKEW = 60_000;

/** What all targets of a run share. */
interface Run {
  readonly request: ControlRequest;
  readonly ports: ControlPorts;
  readonly action: ControlAction;
  readonly problems: Problem[];
  /** Tags of this run: a server may list them some time after it made them. */
  readonly own: Ref[];
}

/** Writes the tags. Only the listing of refs may throw (`UserError` of the repository): everything later is in the outcome. */
export async function controlInstances(request: ControlRequest, ports: ControlPorts): Promise<ControlOutcome> {
  const run: Run = { request, ports, action: request.verb === 'stop' ? 'stop' : 'start', problems: [], own: [] };
  const results = new Map<ControlTarget, ControlResult>();
  let pending = request.targets;
  let deployments = await read(run);
  for (let round = 1; pending.length > 0; round++) {
    const isWhole = await writeAll(run, pending, deployments, results);
    if (!isWhole || run.own.length === 0) break;
    deployments = await read(run);
    const moved = pending.filter((target) => isOutdated(results.get(target), deployments.current(target)));
    if (round < MAX_ROUNDS)
      for (const target of moved)
        ports.log.info(`${target.deployGroup} was marked with another version in this moment; once more for ${branchOf(target)}`);
    else
      run.problems.push(
        ...moved.map((target) =>
          problem(
            'MARK_MOVED',
            `${target.deployGroup} is marked again and again while ${branchOf(target)} is to ${request.verb}: the tag is about a version that no longer counts`,
            { hint: `run it again when the marks of ${target.deployGroup} are done` },
          ),
        ),
      );
    pending = round < MAX_ROUNDS ? moved : [];
    if (pending.length === 0) for (const target of request.targets) run.problems.push(...overruled(run, results.get(target), deployments));
  }
  return { results: request.targets.map((target) => results.get(target) ?? untouched(target, 'not-tried')), problems: run.problems };
}

/** `<cluster>.<instance>` */
function branchOf({ cluster, instance }: ControlTarget): string {
  return `${cluster}.${instance}`;
}

function untouched(target: ControlTarget, state: ControlState): ControlResult {
  return { ...target, state, tag: undefined, version: undefined, before: undefined };
}

interface Reading extends RefDeployments {
  readonly refs: readonly Ref[];
  current(target: ControlTarget): DeploymentVersion | undefined;
}

/** Marks of the groups and tags of the branches: one listing for each name that no other one covers. */
async function read({ request, ports, own }: Run): Promise<Reading> {
  const wanted = [
    ...new Set(request.targets.flatMap((target) => [markRefPrefix(target.deployGroup), `${ALL_TAGS_PREFIX}${branchOf(target)}-`])),
  ];
  const prefixes = wanted.filter((prefix) => !wanted.some((other) => other !== prefix && prefix.startsWith(other)));
  const listed = await Promise.all(prefixes.map((prefix) => ports.repository.listRefs(prefix)));
  const refs = inByteOrder([...new Map([...listed.flat(), ...own].map((ref) => [ref.name, ref])).values()]);
  const deployments = deploymentsFromRefs(request.service, refs, { stopBindsTo: request.stopBindsTo, source: ports.place });
  return { ...deployments, refs, current: ({ deployGroup }) => deployments.marks(deployGroup)[0] };
}

/** False when one failed, so that the others were not tried. */
async function writeAll(
  run: Run,
  targets: readonly ControlTarget[],
  deployments: Reading,
  results: Map<ControlTarget, ControlResult>,
): Promise<boolean> {
  for (const target of targets) {
    try {
      results.set(target, await writeOne(run, target, deployments));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      run.problems.push(...error.problems);
      results.set(target, untouched(target, 'failed'));
      return false;
    }
  }
  return true;
}

async function writeOne(run: Run, target: ControlTarget, deployments: Reading): Promise<ControlResult> {
  const { request, ports, action, problems } = run;
  const branch = branchOf(target);
  const version = deployments.current(target);
  if (version === undefined) {
    problems.push(
      problem(
        'NOT_MARKED',
        `${branch} cannot ${request.verb}: its deploy group '${target.deployGroup}' was never marked in ${ports.place}`,
        { input: 'instance', hint: `has ${request.service} been deployed there yet? Mark a commit for ${target.deployGroup} first` },
      ),
    );
    return untouched(target, 'not-marked');
  }
  const before = deployments.control(branch, target.deployGroup);
  const known = { ...target, version: { sha: version.sha, imageVersion: version.imageVersion }, before: before.desiredState };
  if (action === 'stop' && before.desiredState === 'stop') {
    const tag = controlTag(target.cluster, target.instance, before.forceBounce ?? '', 'stop');
    ports.log.info(`${branch} is already stopped (${tag}); no new tag`);
    return { ...known, state: 'unchanged', tag };
  }
  let token = tokenFor(run, target, deployments, version.sha);
  for (let attempt = 1; ; attempt++, token = nextSecond(token)) {
    const tag = controlTag(target.cluster, target.instance, token, action);
    if (request.dryRun) {
      ports.log.info(`dry run: would create the tag ${tag} on ${version.sha}`);
      return { ...known, state: 'planned', tag };
    }
    ports.log.debug(`control: create ${tagRef(tag)} on ${version.sha} (attempt ${attempt})`);
    if ((await ports.repository.createTag(tag, version.sha)) === 'created') {
      run.own.push({ name: tagRef(tag), sha: version.sha });
      return { ...known, state: 'written', tag };
    }
    ports.log.info(`the tag ${tag} is taken; one second later`);
    if (attempt >= MAX_TRIES)
      throw new UserError(
        problem(
          'TAG_COLLISION',
          `${MAX_TRIES} tags in a row were taken by others who start or stop ${branch} at the same moment; the last one was ${tag}`,
          { hint: 'wait until the other runs are done, then run this again' },
        ),
      );
  }
}

/**
 * Now; later when a tag of this branch already says something for this second or a later one (the greatest token decides, and in one second
 * a stop beats a start), or when the mark that it is to count under is later than our clock.
 */
function tokenFor({ ports, problems }: Run, target: ControlTarget, deployments: Reading, sha: string): string {
  const branch = branchOf(target);
  const now = formatTimestamp(ports.clock.now());
  const last = controlIndex(deployments.refs).state(branch, sha).forceBounce;
  const since = runningSince(deployments.marks(target.deployGroup)) ?? now;
  const earliest = isTimestamp(since) && since > now ? since : now;
  if (last === null || last < earliest) return warned(earliest, now, ports, problems, branch);
  if (!isMoment(last)) {
    throw new UserError(
      problem(
        'TOKEN_OVERRULES',
        `a tag of ${branch} has the token '${last}', which counts more than any time: a new tag would change nothing`,
        { hint: `delete the tags paasta-${branch}-${last}-start and -stop of ${ports.place}` },
      ),
    );
  }
  return warned(nextSecond(last), now, ports, problems, branch);
}

/** Has the shape of a timestamp and names a moment that has a next second. */
function isMoment(token: string): boolean {
  if (!isTimestamp(token)) return false;
  try {
    return nextSecond(token) > token;
  } catch {
    return false;
  }
}

function warned(token: string, now: string, { clock }: ControlPorts, problems: Problem[], branch: string): string {
  if (token > formatTimestamp(clock.now() + CLOCK_SKEW) && !problems.some(({ code }) => code === 'CLOCK_SKEW')) {
    problems.push(
      warning(
        'CLOCK_SKEW',
        `the newest tag of ${branch} or of its deploy group lies in the future of this machine's clock (${now}); ours is put after it`,
        { hint: 'set the clocks of the machines that write tags' },
      ),
    );
  }
  return token;
}

/** The group got another version after we looked: our tag says nothing about it. */
function isOutdated(result: ControlResult | undefined, current: DeploymentVersion | undefined): boolean {
  return result?.version !== undefined && current !== undefined && !sameVersion(result.version, current);
}

/** Somebody said the opposite at the same moment, and that counts. */
function overruled({ action, request }: Run, result: ControlResult | undefined, deployments: Reading): readonly Problem[] {
  if (result?.state !== 'written' || isOutdated(result, deployments.current(result))) return [];
  const branch = branchOf(result);
  const now = deployments.control(branch, result.deployGroup);
  if (now.desiredState === action) return [];
  return [
    problem(
      'CONTROL_SUPERSEDED',
      `another run said ${now.desiredState} for ${branch} at the same moment (${controlTag(result.cluster, result.instance, now.forceBounce ?? '', now.desiredState)}), and that counts`,
      { hint: `agree who is right, then ${request.verb} it again` },
    ),
  ];
}

/** What the new state means for the marks to come, as one sentence for each way in which readers may bind a stop. */
export function controlEffect(
  verb: ControlVerb,
  { deployGroup, version }: Pick<ControlResult, 'deployGroup' | 'version'>,
  stopBindsTo: 'mark' | 'commit',
): string {
  const what = version === undefined ? 'this version' : shortVersion(version);
  if (verb !== 'stop') return `its replicas are replaced by the bounce method of the instance with the next deploy, and run ${what}`;
  const forGood = 'instances: 0 in soa-configs stops it for good';
  if (stopBindsTo === 'mark')
    return `stopped while ${deployGroup} runs ${what}: marking ${what} again leaves it stopped, a mark of another version (commit or image version) starts it, and coming back to ${what} later does not stop it again; ${forGood}`;
  return `stopped whenever ${deployGroup} runs the commit ${what.slice(0, 8)}: a mark of another commit starts it, and coming back to this commit stops it again; ${forGood}`;
}
