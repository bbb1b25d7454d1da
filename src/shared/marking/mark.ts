/**
 * The rules of marking: a light tag `paasta-<group>[+<image version>]-<timestamp>-deploy` says what a deploy group runs.
 * Upstream: paasta_tools/cli/cmds/mark_for_deployment.py, paasta_tools/remote_git.py. Other than PaaSTA we never force a tag,
 * never mark what has no image (unless told), and keep automation from going back in time.
 */
import { sameVersion, shortVersion } from '../contract/deployment-version.ts';
import { formatDuration } from '../contract/durations.ts';
import { problem, UserError, warning, type Problem } from '../contract/errors.ts';
import { suggestName } from '../contract/near.ts';
import { ALL_TAGS_PREFIX, deployTag, markRefPrefix, tagRef } from '../contract/tags.ts';
import { formatTimestamp, nextSecond } from '../contract/timestamps.ts';
import type { Ref } from '../deployments/types.ts';
import { commonBeginning, marksOf, rollbacksOf, stoppedBranches } from './newest.ts';
import type { CommitRelation, Mark, MarkOutcome, MarkPorts, MarkRequest } from './types.ts';

/** How often the next second is tried when a name is taken. */
const MAX_TRIES = 5;
/** A mark that is further than this ahead of our clock is worth a warning. */
const CLOCK_SKEW = 60_000;

/** Where a mark would go now: what runs, what is said about it, and whether there is anything to do. */
interface Decision {
  readonly marks: readonly Mark[];
  readonly relation: CommitRelation | undefined;
  readonly problems: readonly Problem[];
}

/**
 * Marks a commit for a deploy group. Throws `UserError` when a rule forbids it, before anything is written: UNKNOWN_DEPLOY_GROUP,
 * DEPLOY_GROUP_UNCHECKED, IMAGE_NOT_FOUND, OLDER_COMMIT, ROLLED_BACK_COMMIT, TAG_COLLISION, and what repository and registry throw.
 */
export async function markDeployGroup(request: MarkRequest, ports: MarkPorts): Promise<MarkOutcome> {
  const { deployGroup, version } = request;
  const { log, repository } = ports;
  const noted: Problem[] = [...checkGroup(request)];
  // the registry and the repository are asked side by side; what the registry says counts only when there is something to mark
  const look = request.image === undefined ? undefined : ports.registry.resolveDigest(request.image.reference);
  look?.catch(() => undefined);
  let refs = await repository.listRefs(markRefPrefix(deployGroup));
  const first = marksOf(refs, deployGroup)[0];
  log.debug(`mark: ${deployGroup} runs ${first === undefined ? 'nothing yet' : `${shortVersion(first)} (${first.tag})`}`);
  if (first !== undefined && sameVersion(first, version)) return alreadyMarked(request, ports, refs, first, noted);

  let decision = await decide(request, ports, refs);
  const digest = await checkImage(request, ports, look);

  for (let attempt = 1; ; attempt++) {
    const tag = deployTag(deployGroup, timestampFor(decision.marks[0], ports, noted), version.imageVersion);
    const outcome = {
      tag,
      previous: first,
      relation: decision.relation,
      digest,
      already: false,
      supersededBy: undefined,
      stopped: [],
      problems: [...noted, ...decision.problems],
    };
    if (request.dryRun) {
      log.info(`dry run: would create the tag ${tag} on ${version.sha}`);
      return { ...outcome, marked: false };
    }
    log.debug(`mark: create ${tagRef(tag)} on ${version.sha} (attempt ${attempt})`);
    const answer = await repository.createTag(tag, version.sha);
    if (answer === 'created') return settle(request, ports, { ...outcome, marked: true }, decision.marks);
    if (attempt >= MAX_TRIES) {
      throw new UserError(
        problem(
          'TAG_COLLISION',
          `${MAX_TRIES} tags in a row were taken by others who mark ${deployGroup} at the same moment; the last one was ${tag}`,
          {
            hint: 'run the marks of one deploy group one after another (concurrency group paasta-<service>-<deploy group>), then run this again',
          },
        ),
      );
    }
    log.info(`the tag ${tag} was taken by another run; reading again`);
    refs = await repository.listRefs(markRefPrefix(deployGroup));
    const now = marksOf(refs, deployGroup)[0];
    if (now !== undefined && sameVersion(now, version))
      return { ...outcome, ...(await alreadyMarked(request, ports, refs, now, noted)), previous: first, digest };
    decision = await decide(request, ports, refs, tag);
  }
}

/** A group that no instance uses is a typo more often than not; a typo once slowed a recovery down (PaaSTA PR 804). */
function checkGroup({
  deployGroup,
  knownGroups,
  allowUnknownGroup,
  service,
  configProblems,
  uncheckedBecause,
}: MarkRequest): readonly Problem[] {
  if (knownGroups === undefined) {
    const message = `whether an instance of ${service} uses the deploy group '${deployGroup}' cannot be told: ${uncheckedBecause}`;
    if (allowUnknownGroup) return [warning('DEPLOY_GROUP_UNCHECKED', message, { input: 'deploy-group' })];
    throw new UserError([
      problem('DEPLOY_GROUP_UNCHECKED', message, {
        input: 'soa-dir',
        hint: 'give soa-dir and system-config-dir; to mark without looking: allow-unknown-group: true',
      }),
      ...configProblems,
    ]);
  }
  if (knownGroups.includes(deployGroup)) return [];
  const message = `no instance of ${service} uses the deploy group '${deployGroup}'`;
  const hint = suggestName(deployGroup, knownGroups);
  if (allowUnknownGroup) return [warning('UNKNOWN_DEPLOY_GROUP', message, { input: 'deploy-group', hint })];
  const found = problem('UNKNOWN_DEPLOY_GROUP', message, {
    input: 'deploy-group',
    hint: `${hint}; to mark a group before an instance uses it: allow-unknown-group: true`,
  });
  throw new UserError([found, ...configProblems]);
}

/** Rollback tags and ancestry: may this version follow what runs? `taken` is a name that turned out to exist, whatever the listing says. */
async function decide(request: MarkRequest, ports: MarkPorts, refs: readonly Ref[], taken?: string): Promise<Decision> {
  const { deployGroup, version } = request;
  const problems: Problem[] = [];
  const listed = marksOf(refs, deployGroup);
  // A server may list a tag some time after it refuses its name: the next try must come after it all the same.
  const takenRef = taken === undefined || listed.some(({ tag }) => tag === taken) ? [] : [{ name: tagRef(taken), sha: version.sha }];
  const current = listed[0];
  const rollbacks = rollbacksOf(refs, deployGroup, version.sha);
  if (rollbacks.length > 0) {
    const message = `${version.sha.slice(0, 8)} was rolled back from ${deployGroup} (${rollbacks.join(', ')})`;
    if (!request.allowRolledBack)
      throw new UserError(
        problem('ROLLED_BACK_COMMIT', message, {
          input: 'commit',
          hint: 'mark a commit that mends or reverts it; if the cause lay elsewhere: allow-rolled-back: true',
        }),
      );
    problems.push(warning('ROLLED_BACK_COMMIT', `${message}; marked again because allow-rolled-back is set`, { input: 'commit' }));
  }
  let relation: CommitRelation | undefined;
  if (current !== undefined && current.sha !== version.sha) {
    relation = await ports.repository.relation(current.sha, version.sha);
    ports.log.debug(`mark: ${version.sha} is ${relation} of ${current.sha}`);
    if (relation === 'behind') {
      const message = `${version.sha.slice(0, 8)} is older than ${current.sha.slice(0, 8)}, which ${deployGroup} runs (${current.tag})`;
      if (request.automated && !request.allowOlder) {
        throw new UserError(
          problem('OLDER_COMMIT', `${message}; a push or a schedule never goes back`, {
            input: 'commit',
            hint: 'probably an older run was started again, or two runs overtook each other; to go back on purpose, run it by hand or set allow-older: true',
          }),
        );
      }
      problems.push(
        warning('OLDER_COMMIT', `${message}: ${deployGroup} goes BACK`, {
          input: 'commit',
          hint: 'also revert the newer commits in git, or the next push deploys them again',
        }),
      );
    } else if (relation === 'unknown') {
      problems.push(
        warning(
          'UNKNOWN_ANCESTRY',
          `it is not known whether ${version.sha.slice(0, 8)} is newer than ${current.sha.slice(0, 8)}, which ${deployGroup} runs: the repository could not compare them`,
        ),
      );
    }
  } else if (current !== undefined && (current.imageVersion ?? '') > (version.imageVersion ?? '')) {
    problems.push(
      warning(
        'OLDER_IMAGE_VERSION',
        `${deployGroup} runs the image version ${current.imageVersion ?? 'none'} of the same commit; '${version.imageVersion ?? 'none'}' is older`,
        { input: 'image-version' },
      ),
    );
  }
  return { marks: takenRef.length > 0 ? marksOf([...refs, ...takenRef], deployGroup) : listed, relation, problems };
}

async function checkImage(
  { image, service }: MarkRequest,
  { registry, log }: MarkPorts,
  look: ReturnType<MarkPorts['registry']['resolveDigest']> | undefined,
): Promise<string | undefined> {
  if (image === undefined) return undefined;
  const { reference, wait, poll } = image;
  let found = await look;
  if (found === undefined && wait > 0) {
    log.info(`waiting up to ${formatDuration(wait)} for ${reference}`);
    found = await registry.waitFor(reference, wait, poll);
  }
  if (found !== undefined) return found.digest;
  throw new UserError(
    problem(
      'IMAGE_NOT_FOUND',
      `${reference} is not in the registry${wait > 0 ? ` after ${formatDuration(wait)}` : ''}, so ${service} cannot be marked to run it`,
      {
        hint: 'run push-to-registry for this commit and image version first (or let this action wait: wait-for-image); verify-image: false marks without looking',
      },
    ),
  );
}

/** Now, or the second after the newest mark when our clock does not say later: the new mark must be the newest. */
function timestampFor(newest: Mark | undefined, { clock }: MarkPorts, problems: Problem[]): string {
  const now = formatTimestamp(clock.now());
  if (newest === undefined || newest.timestamp < now) return now;
  if (newest.timestamp > formatTimestamp(clock.now() + CLOCK_SKEW) && !problems.some(({ code }) => code === 'CLOCK_SKEW')) {
    problems.push(
      warning('CLOCK_SKEW', `the newest mark ${newest.tag} lies in the future of this machine's clock (${now}); ours is put after it`, {
        hint: 'set the clocks of the machines that mark',
      }),
    );
  }
  return nextSecond(newest.timestamp);
}

/** The group runs this version: nothing is written, and stopped instances stay stopped. */
async function alreadyMarked(
  request: MarkRequest,
  { repository, log }: MarkPorts,
  refs: readonly Ref[],
  mark: Mark,
  problems: readonly Problem[],
): Promise<MarkOutcome> {
  const { deployGroup, controlBranches } = request;
  const marks = marksOf(refs, deployGroup);
  const controls = controlBranches.length === 0 ? [] : await repository.listRefs(`${ALL_TAGS_PREFIX}${commonBeginning(controlBranches)}`);
  const stopped = stoppedBranches(controls, controlBranches, mark, marks);
  log.info(`${deployGroup} is already marked for ${shortVersion(mark)} (${mark.tag}); no new tag`);
  const said = stopped.map((branch) =>
    warning('STILL_STOPPED', `${branch} is stopped under this version and stays stopped`, {
      hint: `start it: paasta start --service ${request.service} --clusters ${branch.slice(0, branch.indexOf('.'))} --instances ${branch.slice(branch.indexOf('.') + 1)}`,
    }),
  );
  // A run that is started again says the same as the first time: what the group ran before this version.
  const previous = marks.find((other) => !sameVersion(other, mark));
  return {
    tag: mark.tag,
    marked: false,
    already: true,
    previous,
    relation: undefined,
    digest: undefined,
    supersededBy: undefined,
    stopped,
    problems: [...problems, ...said],
  };
}

/**
 * Another run may have marked the group between our look and our tag. If its mark is newer than ours, it prevails. If ours is
 * newer but, in an automated run, names an ancestor of what the other marked, the other version is marked once more: the
 * newest tag decides, and without that an older commit would have won by being late.
 */
async function settle(request: MarkRequest, ports: MarkPorts, outcome: MarkOutcome, before: readonly Mark[]): Promise<MarkOutcome> {
  const { deployGroup, version } = request;
  const listed = await ports.repository.listRefs(markRefPrefix(deployGroup));
  // Ours may not be listed yet: servers show a new ref to readers some time after it was made.
  const own: Ref = { name: tagRef(outcome.tag), sha: version.sha };
  const marks = marksOf(listed.some(({ name }) => name === own.name) ? listed : [...listed, own], deployGroup);
  const known = new Set([...before.map(({ tag }) => tag), outcome.tag]);
  const rival = marks.find(({ tag }) => !known.has(tag));
  if (rival === undefined || sameVersion(rival, version)) return outcome;
  const newest = marks[0] as Mark;
  const superseded = (by: Mark, how: string): MarkOutcome => ({
    ...outcome,
    supersededBy: by,
    problems: [
      ...outcome.problems,
      warning('MARK_SUPERSEDED', `another run marked ${deployGroup} for ${shortVersion(by)} at the same moment (${by.tag})${how}`, {
        hint: 'run the marks of one deploy group one after another: concurrency group paasta-<service>-<deploy group>',
      }),
    ],
  });
  if (newest.tag !== outcome.tag) return superseded(newest, '; that mark is newer and prevails');
  if (!request.automated || request.allowOlder || (await ports.repository.relation(rival.sha, version.sha)) !== 'behind') return outcome;
  let timestamp = nextSecond(newest.timestamp);
  for (let attempt = 1; attempt <= MAX_TRIES; attempt++, timestamp = nextSecond(timestamp)) {
    const tag = deployTag(deployGroup, timestamp, rival.imageVersion);
    if ((await ports.repository.createTag(tag, rival.sha)) === 'created')
      return superseded({ ...rival, tag, timestamp }, ' and it is newer in git, so it was marked once more');
  }
  return superseded(rival, ', which is newer in git, but it could not be marked again: run its pipeline once more');
}
