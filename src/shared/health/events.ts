/** Events that tell something about a failure. */
import type { Event } from '../objects/types.ts';
import { plainText } from './text.ts';

/** Said by every healthy start too. */
const NOISE: ReadonlySet<string> = new Set(['Started', 'Created', 'SuccessfulCreate', 'Scheduled', 'Pulling', 'Pulled', 'ScalingReplicaSet']);
const SHOWN = 5;
/** Clocks of the cluster and of the runner differ a little. */
const SLACK = 5_000;

/** Milliseconds since the epoch at which an event was last seen. */
export function eventTime(event: Event): number {
  const time = Date.parse(event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp ?? event.metadata.creationTimestamp ?? '');
  return Number.isNaN(time) ? 0 : time;
}

/** Events of one object since a moment, oldest first. */
export function eventsOf(events: readonly Event[], object: { readonly kind: string; readonly name: string; readonly uid?: string | undefined }, since: number): readonly Event[] {
  return events
    .filter(({ involvedObject: about }) => about.name === object.name && (about.kind === undefined || about.kind === object.kind) && (about.uid === undefined || object.uid === undefined || about.uid === object.uid))
    .filter((event) => eventTime(event) >= since - SLACK)
    .sort((a, b) => eventTime(a) - eventTime(b));
}

/** Names that controllers make end in five such characters; pods that come to the same end say the same but for them. */
const MADE_NAME = /\b([a-z0-9][a-z0-9.-]*)-[bcdfghjklmnpqrstvwxz2456789]{5}(?![a-z0-9-])/g;
const POD_UID = /_[a-z0-9-]+\([0-9a-f-]{36}\)/g;

/** Texts for the report: noise left out, equal ones folded into `… ×5`, newest last, at most five. */
export function eventTexts(events: readonly Event[]): readonly string[] {
  const folded = new Map<string, number>();
  for (const event of events) {
    if (NOISE.has(event.reason ?? '')) continue;
    const text = plainText(`${event.reason ?? 'Event'}: ${event.message ?? ''}`, 500).replace(POD_UID, '').replace(MADE_NAME, '$1-…');
    const count = (folded.get(text) ?? 0) + (event.count ?? 1);
    folded.delete(text);
    folded.set(text, count);
  }
  return [...folded].slice(-SHOWN).map(([text, count]) => (count > 1 ? `${text} ×${count}` : text));
}
