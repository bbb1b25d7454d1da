/**
 * Keys that PaaSTA's schemas allow and that nothing here acts on. The schemas say which (`deprecationMessage`, which editors show, too):
 * each is answered with one warning, never silently accepted.
 */
import { warning, type Problem } from '../contract/errors.ts';
import { isMap, type Value } from '../contract/values.ts';
import { schemaOf, type OwnSchemaKind, type Path, type SchemaKind } from './schema-check.ts';
import { keysOf } from './yaml-values.ts';
import type { YamlDocument } from './yaml.ts';

/** How the schemas begin what they say about such a key; behind it stands what does its job. */
export const NO_EFFECT = 'No effect here: ';

interface Shape {
  readonly $ref?: string;
  readonly deprecationMessage?: string;
  /** Of a key that has an effect, the values that have none. */
  readonly anyOf?: readonly { readonly const?: unknown; readonly deprecationMessage?: string }[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly patternProperties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
  readonly definitions?: Readonly<Record<string, Shape>>;
}

export interface KeyWithoutEffect {
  readonly path: Path;
  /** What does its job instead. */
  readonly instead: string;
}

/** Such keys of a value, in the order of the file, each as often as it is written. */
export function keysWithoutEffect(kind: SchemaKind | OwnSchemaKind, value: Value): readonly KeyWithoutEffect[] {
  const { schema, common }: { readonly schema: Shape; readonly common: Shape } = schemaOf(kind);
  return within(value, schema, schema, common, []);
}

function within(value: Value, given: Shape, file: Shape, common: Shape, path: Path): readonly KeyWithoutEffect[] {
  const name = given.$ref?.slice(given.$ref.lastIndexOf('/') + 1);
  const home = given.$ref?.startsWith('#') === false ? common : file;
  const shape = name === undefined ? given : (home.definitions?.[name] ?? {});
  if (Array.isArray(value))
    return (value as readonly Value[]).flatMap((entry, index) => within(entry, shape.items ?? {}, home, common, [...path, index]));
  if (!isMap(value)) return [];
  return keysOf(value).flatMap((key) => {
    const below = Object.hasOwn(shape.properties ?? {}, key)
      ? shape.properties?.[key]
      : Object.entries(shape.patternProperties ?? {}).find(([pattern]) => new RegExp(pattern).test(key))?.[1];
    if (below === undefined) return [];
    const said = below.deprecationMessage ?? below.anyOf?.find((one) => one.const === value[key])?.deprecationMessage;
    const own = said === undefined ? [] : [{ path: [...path, key], instead: said.replace(NO_EFFECT, '').replace(/\.$/, '') }];
    return [...own, ...within(value[key] as Value, below, home, common, [...path, key])];
  });
}

/** Such keys of a deploy.yaml: a warning for each, on the first line where it stands. */
export function checkDeployKeys(document: YamlDocument): readonly Problem[] {
  const found = new Map<string, KeyWithoutEffect[]>();
  for (const one of keysWithoutEffect('deploy', document.read)) {
    const key = `${one.path.length === 1 ? '' : 'step '}${String(one.path.at(-1))}`;
    found.set(key, [...(found.get(key) ?? []), one]);
  }
  return [...found.values()].map(([first, ...others]) => {
    const { path, instead } = first as KeyWithoutEffect;
    const lines = others.map((other) => String(document.position(other.path).line ?? 1));
    const also = lines.length === 0 ? '' : ` (nor on line${lines.length === 1 ? '' : 's'} ${lines.join(', ')})`;
    return warning('KEY_WITHOUT_EFFECT', `${String(path.at(-1))} has no effect${also}`, { ...document.position(path), hint: instead });
  });
}
