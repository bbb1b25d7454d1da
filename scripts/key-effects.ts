/** What a key of an instance changes in the objects, in a few words: made of the golden rows (test/fixtures/workload/keys.json), so that the page cannot say what is not so. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NOT_RENDERED, ROWS, titleOf, TRON_NOT_RENDERED, type Row } from '../test/unit/workload/golden-keys.ts';

const GOLDEN = join(dirname(dirname(fileURLToPath(import.meta.url))), 'test', 'fixtures', 'workload', 'keys.json');
/** Words of a cell at most. */
const MOST = 6;

/** Rows that tell of the keys of a page; the first that has a key counts. */
const TYPES: Readonly<Record<string, readonly Row['type'][]>> = {
  kubernetes: ['kubernetes'],
  eks: ['eks', 'kubernetes'],
  adhoc: ['adhoc', 'kubernetes'],
  job: ['tron job'],
  action: ['tron action'],
};

function label(path: string): string | undefined {
  const match = /\.(labels|annotations)\.(.+)$/.exec(path);
  return match === null ? undefined : `${match[1] === 'labels' ? 'label' : 'annotation'} ${match[2] ?? ''}`;
}

/** A path of the fixture as a word: the field of the container or of the pod, or the object. */
function wordOf(path: string): string {
  const pod =
    /^(?:Deployment\.spec\.template|StatefulSet\.spec\.template|Job\.spec\.template|CronJob\.spec\.jobTemplate\.spec\.template)\.(.+)$/.exec(
      path,
    )?.[1];
  if (pod === undefined) {
    const whole = path.split(/[. ]/)[0] ?? path;
    if (/^(?:Service|PodDisruptionBudget|HorizontalPodAutoscaler|ServiceAccount|StatefulSet)$/.test(whole)) return whole;
    if (path.startsWith('CronJob.spec.jobTemplate.metadata')) return label(`.labels.${path.split('.labels.')[1] ?? ''}`) ?? 'labels';
    if (path.startsWith('CronJob.spec.jobTemplate.spec.')) return `Job ${path.slice('CronJob.spec.jobTemplate.spec.'.length)}`;
    return label(path) ?? path.replace(/^(?:Deployment|CronJob|Job)\.(?:spec|metadata)\./, '').split(/[.[]/)[0] ?? path;
  }
  const named = label(`.${pod.replace(/^metadata\./, '')}`);
  if (named !== undefined && pod.startsWith('metadata.')) return named;
  const field = pod.replace(/^spec\./, '');
  const own = /^(?:init)?[cC]ontainers\[([^\]]*)\]\.?(.*)$/.exec(field);
  const parts = (own?.[2] ?? field).split(/[.[]/);
  const depth = ['resources', 'securityContext', 'affinity', 'lifecycle'].includes(parts[0] ?? '') ? 2 : 1;
  const word = parts.slice(0, depth).join('.');
  return own?.[1] === 'hacheck' ? `hacheck ${word}` : word;
}

let golden: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;

/** What a key of a page changes; empty for keys that are in no object (`said` then says why, when somebody knows). */
export function effectWords(page: string, key: string): string {
  golden ??= JSON.parse(readFileSync(GOLDEN, 'utf8')) as typeof golden;
  const types = TYPES[page] ?? [];
  const type = types.find((one) => ROWS.some((row) => row.type === one && row.key === key));
  const rows = type === undefined ? [] : ROWS.filter((row) => row.type === type && row.key === key);
  const words = [...new Set(rows.flatMap((row) => Object.keys(golden?.[titleOf(row)] ?? {}).map(wordOf)))]
    .filter((word) => !word.startsWith('annotation paasta-actions/'))
    .map((word) => word.replace(/^label registrations\.(\S+)\/.*/, 'label registrations.$1/…'));
  // Another kind of object says it all.
  const told = words.includes('StatefulSet') && words.length > MOST ? ['a StatefulSet with claims instead of the Deployment'] : words;
  if (told.length > 0) return `${told.slice(0, MOST).join(', ')}${told.length > MOST ? ', …' : ''}`;
  return (page === 'job' || page === 'action' ? TRON_NOT_RENDERED[key] : NOT_RENDERED[key]) ?? '';
}
