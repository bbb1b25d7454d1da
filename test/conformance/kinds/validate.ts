/** `validate`: verdict of the run, of each check, of each file, and the place of the faults. */
import type { ValueMap } from '../../../src/shared/contract/values.ts';
import { loadSoaConfigs, systemConfigOf } from '../../../src/shared/soa-configs/index.ts';
import { validateService } from '../../../src/shared/soa-configs/validate.ts';
import { memoryTree } from '../../support/memory-tree.ts';
import type { Json, JsonMap, Plug } from '../types.ts';

/** Location names that the vectors know. */
const LOCATIONS = {
  region: ['uswest1-prod', 'useast1-prod', 'uswest2-dev'],
  superregion: ['norcal-prod', 'nova-prod', 'norcal-dev'],
  habitat: ['uswest1aprod', 'uswest1bprod', 'useast1aprod', 'uswest2adev'],
  ecosystem: ['prod', 'dev'],
};

function under(path: readonly (string | number)[], top: Json): boolean {
  return Array.isArray(top) && top.every((part, index) => String(path[index]) === String(part));
}

export const plug: Plug = {
  answer: (test) => {
    const input = test.input as unknown as {
      readonly service: string;
      readonly files: Readonly<Record<string, string>>;
      readonly system: ValueMap;
      readonly etc_services: readonly string[];
      readonly location_types: readonly string[];
      readonly teams: readonly string[];
    };
    const system = systemConfigOf(input.system);
    const tree = memoryTree(input.files);
    const soa = loadSoaConfigs(tree, system);
    const verdict = validateService(tree, system, soa, input.service, {
      etcServices: input.etc_services,
      locationTypes: input.location_types,
      locations: LOCATIONS,
      teams: input.teams,
    });
    const broken = verdict.problems.some((p) => p.severity === 'error');
    const checks = test.expected['checks'] as Readonly<Record<string, JsonMap>>;
    const files = (test.expected['files'] ?? []) as readonly JsonMap[];
    const wanted = {
      ok: test.expected['ok'] === true,
      precondition: test.expected['precondition'],
      // Where a check raised, ours only has to report a problem.
      checks: Object.fromEntries(Object.entries(checks).map(([name, check]) => [name, 'error' in check ? 'problem' : check['ok']])),
      files: Object.fromEntries(
        files.map((file) => [`${String(file['file'])} ${String(file['schema'])}`, { ok: file['ok'] === true, placed: true }]),
      ),
    };
    const ours = {
      ok: verdict.ok,
      precondition: verdict.precondition,
      checks: Object.fromEntries(
        Object.entries(checks).map(([name, check]) => [
          name,
          'error' in check ? (broken ? 'problem' : 'no problem') : verdict.checks[name as keyof typeof verdict.checks],
        ]),
      ),
      files: Object.fromEntries(
        files.map((wantedFile) => {
          const key = `${String(wantedFile['file'])} ${String(wantedFile['schema'])}`;
          const file = verdict.files.find((one) => `${one.file} ${one.schema}` === key);
          const places = (wantedFile['all_at'] ?? []) as readonly Json[];
          const found =
            places.length === 0 || file?.ok === true || (file?.problems ?? []).some((p) => places.some((top) => under(p.path, top)));
          return [key, { ok: file?.ok, placed: found }];
        }),
      ),
    };
    return { ours, wanted };
  },
};
