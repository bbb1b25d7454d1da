/** Occasions of a bounce that no field shows, because only the config hash holds them: restarts, changed secrets, another way to render. */
import type { KubeObject } from '../objects/types.ts';
import { ANNOTATIONS } from '../workload/marks.ts';
import type { RenderedInstance } from '../workload/types.ts';
import { isJsonMap } from './fields.ts';
import type { Reason } from './types.ts';

function note(object: KubeObject, name: string): string | undefined {
  return object.metadata.annotations?.[name];
}

/** Signatures that an object was rendered with, by reference text such as `SECRET(db_password)`. */
export function notedSignatures(object: KubeObject): Readonly<Record<string, string | null>> {
  try {
    const read: unknown = JSON.parse(note(object, ANNOTATIONS.secretSignatures) ?? '{}');
    return isJsonMap(read)
      ? Object.fromEntries(Object.entries(read).map(([name, value]) => [name, typeof value === 'string' ? value : null]))
      : {};
  } catch {
    return {};
  }
}

/** Token of the restart that an object was rendered with. */
export function notedRestart(object: KubeObject): string | undefined {
  return note(object, ANNOTATIONS.forceBounce);
}

/** Set when another version of ours made the hash: then it differs whatever the instance says. */
function rendererChange(rendered: RenderedInstance, live: KubeObject): readonly Reason[] {
  const [from, to] = [note(live, ANNOTATIONS.hashVersion), note(rendered.workload, ANNOTATIONS.hashVersion)];
  return from === undefined || to === undefined || from === to ? [] : [{ kind: 'renderer', from, to }];
}

/** Why the hash of an instance differs, as far as restarts, secrets and our own rendering are the reason. Only to be asked when it does. */
export function hashOccasions(rendered: RenderedInstance, live: KubeObject): readonly Reason[] {
  const restart = notedRestart(rendered.workload);
  const [before, now] = [notedSignatures(live), notedSignatures(rendered.workload)];
  // What came to the environment or left it is a change of its fields.
  const changed = Object.keys(now).filter((name) => name in before && before[name] !== now[name]);
  return [
    ...rendererChange(rendered, live),
    ...(restart !== undefined && restart !== notedRestart(live) ? [{ kind: 'restart' } as const] : []),
    ...(changed.length > 0 ? [{ kind: 'secrets', names: changed } as const] : []),
  ];
}
