/** What marking needs of the world, and what it hands back. */
import type { DeploymentVersion } from '../contract/deployment-version.ts';
import type { Problem } from '../contract/errors.ts';
import type { Clock, Log } from '../contract/ports.ts';
import type { Mark } from '../deployments/marks.ts';
import type { Ref } from '../deployments/types.ts';

export type { Mark };

/** How a commit stands to another one: `ahead` = it contains the other, `behind` = it is an ancestor of the other. `unknown`: the server cannot say. */
export type CommitRelation = 'identical' | 'ahead' | 'behind' | 'diverged' | 'unknown';

/** The service's repository on its server; GitHub's API or plain git stands behind it. */
export interface MarkRepository {
  /** Refs whose full name begins so, chosen by the server. */
  listRefs(prefix: string): Promise<readonly Ref[]>;
  /** Creates a light tag. Never overwrites: `exists` when the name is taken. Throws `UserError` when the server refuses. */
  createTag(name: string, sha: string): Promise<'created' | 'exists'>;
  /** Relation of `head` to `base`, asked of the server. */
  relation(base: string, head: string): Promise<CommitRelation>;
}

/** The registry, as far as marking asks it. */
export interface MarkRegistry {
  resolveDigest(reference: string): Promise<{ readonly digest: string } | undefined>;
  waitFor(reference: string, timeout: number, poll: number): Promise<{ readonly digest: string } | undefined>;
}

export interface MarkPorts {
  readonly repository: MarkRepository;
  readonly registry: MarkRegistry;
  readonly clock: Clock;
  readonly log: Log;
}

/** The image that must be in the registry before a commit may be marked. */
export interface ImageCheck {
  readonly reference: string;
  /** Milliseconds to wait for it; 0: it must be there now. */
  readonly wait: number;
  /** Milliseconds between two looks. */
  readonly poll: number;
}

export interface MarkRequest {
  readonly service: string;
  readonly deployGroup: string;
  readonly version: DeploymentVersion;
  /** Deploy groups in use; `undefined` when soa-configs are not at hand and nobody can tell. */
  readonly knownGroups: readonly string[] | undefined;
  /** Why nobody can tell; read only when `knownGroups` is `undefined`. */
  readonly uncheckedBecause: string;
  /** What could not be read of the service's soa-configs: an unknown group may stand there. */
  readonly configProblems: readonly Problem[];
  /** Control branches `<cluster>.<instance>` of the instances of this group, for what is said about stopped ones. */
  readonly controlBranches: readonly string[];
  readonly allowUnknownGroup: boolean;
  readonly allowOlder: boolean;
  readonly allowRolledBack: boolean;
  /** A push or a schedule started the run, not a person: older commits are then refused. */
  readonly automated: boolean;
  /** `undefined`: do not look. */
  readonly image: ImageCheck | undefined;
  readonly dryRun: boolean;
}

export interface MarkOutcome {
  /** Tag that now says what the group runs: the new one, the one that already said so, or (dry run) the one that would be made. */
  readonly tag: string;
  /** True when this run wrote the tag. */
  readonly marked: boolean;
  /** True when the group was marked with this version before, so that there was nothing to write. */
  readonly already: boolean;
  /** What the group ran before this version. `undefined`: nothing else was ever marked. */
  readonly previous: Mark | undefined;
  /** Relation of the commit to what the group ran; `undefined` when there was nothing or the same commit. */
  readonly relation: CommitRelation | undefined;
  /** Digest that the registry named; `undefined` when it was not asked. */
  readonly digest: string | undefined;
  /** Another version that was marked at the same moment and prevails. */
  readonly supersededBy: Mark | undefined;
  /** Control branches that stay stopped although their group is marked again. */
  readonly stopped: readonly string[];
  /** What is worth knowing: warnings and notices. */
  readonly problems: readonly Problem[];
}
