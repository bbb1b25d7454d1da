/** What the API server would hold after our apply: our fields, its defaults, our entry in managedFields. */
import type { KubeObject } from '../../../src/shared/objects/types.ts';
import { MANAGER } from '../../../src/shared/plan/index.ts';

type Fields = Record<string, unknown>;

const KEYS: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  initContainers: ['name'],
  env: ['name'],
  volumes: ['name'],
  volumeMounts: ['mountPath'],
};

function owned(value: unknown, name = ''): Fields {
  if (Array.isArray(value)) {
    const keys =
      name === 'ports'
        ? value.some((e: Fields) => 'containerPort' in e)
          ? ['containerPort', 'protocol']
          : ['port', 'protocol']
        : KEYS[name];
    if (keys === undefined) return {};
    return Object.fromEntries(
      value.map((e: Fields) => [`k:${JSON.stringify(Object.fromEntries(keys.map((k) => [k, e[k] ?? 'TCP'])))}`, { '.': {}, ...owned(e) }]),
    );
  }
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [`f:${k}`, owned(v, k)]));
}

/** The live object, with changes by hand as further entries of ownership. */
export function live(
  object: KubeObject,
  edits: readonly {
    readonly manager: string;
    readonly operation?: string;
    readonly fields: Fields;
    readonly change: (o: KubeObject) => void;
  }[] = [],
): KubeObject {
  const stored = structuredClone(object);
  const { apiVersion: _a, kind: _k, metadata, ...rest } = object;
  const managedFields = [
    {
      manager: MANAGER,
      operation: 'Apply',
      fieldsV1: { 'f:metadata': { 'f:labels': owned(metadata.labels), 'f:annotations': owned(metadata.annotations) }, ...owned(rest) },
    },
    ...edits.map((e) => ({ manager: e.manager, operation: e.operation ?? 'Update', fieldsV1: e.fields })),
  ];
  stored.metadata = {
    ...stored.metadata,
    uid: `uid-${stored.kind}-${stored.metadata.name}`,
    resourceVersion: '1',
    generation: 1,
    managedFields,
  };
  for (const { change } of edits) change(stored);
  return stored;
}
