/** Events that tell something about a failure. */
import type { Event } from '../objects/types.ts';
import { plainText } from './text.ts';

/** Said by every healthy start too. */
const NOISE: ReadonlySet<string> = new Set([
  'Started',
  'Created',
  'SuccessfulCreate',
  'Scheduled',
  'Pulling',
  'Pulled',
  'ScalingReplicaSet',
]);
const SHOWN = 5;
/** Clocks of the cluster and of the runner differ a little. */
const SLACK = 5_000;

/** Milliseconds since the epoch at which an event was last seen. */
export function eventTime(event: Event): number {
  const time = Date.parse(event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp ?? event.metadata.creationTimestamp ?? '');
  return Number.isNaN(time) ? 0 : time;
}

/** Events of one object since a moment, oldest first. */
export function eventsOf(
  events: readonly Event[],
  object: { readonly kind: string; readonly name: string; readonly uid?: string | undefined },
  since: number,
): readonly Event[] {
  return events
    .filter(
      ({ involvedObject: about }) =>
        about.name === object.name &&
        (about.kind === undefined || about.kind === object.kind) &&
        (about.uid === undefined || object.uid === undefined || about.uid === object.uid),
    )
    .filter((event) => eventTime(event) >= since - SLACK)
    .sort((a, b) => eventTime(a) - eventTime(b));
}

/** Names that controllers make end in five such characters; pods that come to the same end say the same but for them. */
const MADE_END = /-[bcdfghjklmnpqrstvwxz2456789]{5}(?![a-z0-9-])/g;
const POD_UID = /_[a-z0-9-]+\([0-9a-f-]{36}\)/g;

/** `web-7d4f9-x2x4b` becomes `web-7d4f9-…`: the last made end of each name, whose beginning is the beginning of a word. */
function withoutMadeEnds(text: string): string {
  return text.replace(/[a-z0-9.-]+/g, (name, at: number) => {
    const start = name.search(/\w/.test(text.charAt(at - 1)) ? /(?<=[.-])[a-z0-9]/ : /[a-z0-9]/);
    const end = [...name.matchAll(MADE_END)].at(-1);
    return start < 0 || end === undefined || end.index <= start
      ? name
      : `${name.slice(0, end.index)}-…${name.slice(end.index + end[0].length)}`;
  });
}

/** Texts for the report: noise left out, equal ones folded into `… ×5`, newest last, at most five. */
export function eventTexts(events: readonly Event[]): readonly string[] {
  const folded = new Map<string, number>();
  for (const event of events) {
    if (NOISE.has(event.reason ?? '')) continue;
    const text = withoutMadeEnds(plainText(`${event.reason ?? 'Event'}: ${event.message ?? ''}`, 500).replace(POD_UID, ''));
    const count = (folded.get(text) ?? 0) + (event.count ?? 1);
    folded.delete(text);
    folded.set(text, count);
  }
  return [...folded].slice(-SHOWN).map(([text, count]) => (count > 1 ? `${text} ×${count}` : text));
}
