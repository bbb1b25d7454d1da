/** `tags`: soa-configs and refs of a service → deployments.json, newest marks and rollback records. */
import { tagRef } from '../../../src/shared/contract/tags.ts';
import type { ValueMap } from '../../../src/shared/contract/values.ts';
import { deploymentsFromRefs, generateDeployments, type Ref } from '../../../src/shared/deployments/index.ts';
import { gitUrlOf, loadSoaConfigs, systemConfigOf } from '../../../src/shared/soa-configs/index.ts';
import { memoryTree } from '../../support/memory-tree.ts';
import { REFUSED, type Case, type JsonMap, type Plug } from '../types.ts';

/** A mapping with the order of its keys beside it: the generator's order is part of the contract. */
function ordered(map: unknown): unknown {
  return typeof map === 'object' && map !== null ? { entries: map, order: Object.keys(map) } : map;
}

function shape(deployments: JsonMap): unknown {
  const v2 = deployments['v2'] as JsonMap;
  return { v1: ordered(deployments['v1']), deployments: ordered(v2['deployments']), controls: ordered(v2['controls']) };
}

export const plug: Plug = {
  answer(test: Case) {
    const {
      service,
      files,
      system,
      refs: listed,
      rollback_queries: queries,
    } = test.input as unknown as {
      readonly service: string;
      readonly files: Readonly<Record<string, string>>;
      readonly system: ValueMap;
      readonly refs: readonly (readonly [string, string])[];
      readonly rollback_queries: readonly { readonly deploy_group: string; readonly sha: string }[];
    };
    const refs: readonly Ref[] = listed.map(([name, sha]) => ({ name, sha }));
    const config = loadSoaConfigs(memoryTree(files), systemConfigOf(system)).load(service);
    const fixed = test.expected['fixed'] as JsonMap | undefined;
    const died = fixed === undefined && test.expected['error'] !== undefined;
    const generated = generateDeployments(service, gitUrlOf(config) === null ? [] : config.instances, refs);
    const plain = {
      v1: Object.fromEntries(generated.v1),
      v2: { deployments: Object.fromEntries(generated.v2.deployments), controls: Object.fromEntries(generated.v2.controls) },
    } as unknown as JsonMap;

    // Where PaaSTA's run dies of one instance, ours reports that instance and goes on: equal when the problem is reported.
    const reported = config.problems.some((problem) => problem.severity === 'error' && problem.file !== undefined);
    const truth = deploymentsFromRefs(service, refs);
    const latest = Object.fromEntries(
      Object.keys(test.expected['latest'] as JsonMap).map((group) => {
        const [newest] = truth.marks(group);
        return [group, newest === undefined ? [null, null, null] : [tagRef(newest.tag), newest.sha, newest.imageVersion]];
      }),
    );
    const rollbacks = queries.map(({ deploy_group, sha }) =>
      truth.rollbacks(deploy_group, sha).map((mark) => [tagRef(mark.tag), mark.timestamp]),
    );
    return {
      ours: { deployments: died && reported ? REFUSED : shape(plain), latest, rollback_tags: rollbacks },
      wanted: {
        deployments: died ? { error: test.expected['error'] } : shape((fixed ?? test.expected)['deployments'] as JsonMap),
        latest: test.expected['latest'],
        rollback_tags: test.expected['rollback_tags'],
      },
    };
  },
};
