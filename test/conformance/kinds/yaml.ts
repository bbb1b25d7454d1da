/** `yaml`: one file read, its value, and the instances that it names. */
import { pythonFloat } from '../../../src/shared/contract/python-text.ts';
import { Float, isMap, type Value } from '../../../src/shared/contract/values.ts';
import { loadSoaConfigs, readYaml, systemConfigOf } from '../../../src/shared/soa-configs/index.ts';
import { SetValue, Timestamp, entriesOf, hasTextKeys } from '../../../src/shared/soa-configs/yaml-values.ts';
import { REFUSED, type Plug } from '../types.ts';
import { memoryTree } from '../../support/memory-tree.ts';

/** The last integer that JSON says exactly; beyond it the vectors write text. */
const TWO_53 = 2n ** 53n;

/** A value as the vectors write what JSON cannot say. */
function written(value: Value, above: readonly Value[] = []): unknown {
  if (value instanceof Float) return { $float: pythonFloat(value.value) };
  if (typeof value === 'number')
    return Number.isFinite(value) ? value : { $float: Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf' };
  if (typeof value === 'bigint') return value >= -TWO_53 && value <= TWO_53 ? Number(value) : { $int: value.toString() };
  if (value instanceof Timestamp) return value.dateOnly ? { $date: value.text } : { $datetime: value.text };
  if (value instanceof Uint8Array) return { $binary: Buffer.from(value).toString('base64') };
  if (typeof value !== 'object' || value === null) return value;
  if (above.includes(value)) return { $recursive: true };
  const inside = [...above, value];
  if (value instanceof SetValue) return { $set: [...value].map((entry) => written(entry, inside)).sort() };
  if (Array.isArray(value)) return (value as readonly Value[]).map((entry) => written(entry, inside));
  if (!isMap(value)) return value;
  if (!hasTextKeys(value)) return { $map: entriesOf(value).map(([, key, entry]) => [written(key), written(entry, inside)]) };
  const out: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, , entry] of entriesOf(value)) out[name] = written(entry, inside);
  return out;
}

/** Names of instances that the product lists for the file, or a refusal when it has an error on it. */
function instancesOf(text: string): unknown {
  const soa = loadSoaConfigs(memoryTree({ 's/kubernetes-dev.yaml': text }), systemConfigOf({ clusters: ['dev'] }));
  const service = soa.load('s');
  const fatal = service.incomplete || service.problems.some((p) => p.code === 'INSTANCE_NAME' || p.code === 'NOT_A_MAPPING');
  return fatal ? REFUSED : service.declared.map((d) => d.instance);
}

export const plug: Plug = {
  answer: (test) => {
    const { document } = readYaml(String(test.input['text']), 'kubernetes-dev.yaml');
    const { value, read, instances } = test.expected;
    if (document === undefined) {
      // A refusal is equal when PaaSTA refuses. Lines are not compared: ours is where the mistake is (the quote that was opened), libyaml's where it noticed.
      const refused = 'error' in test.expected;
      return {
        ours: { value: REFUSED, instances: refused ? REFUSED : instances },
        wanted: { value: refused ? { error: 'refused' } : value, instances },
      };
    }
    const wanted: Record<string, unknown> = { instances, value: 'error' in test.expected ? { error: 'refused' } : value };
    const ours: Record<string, unknown> = { instances: instancesOf(document.text), value: written(document.value) };
    if (read !== undefined) {
      wanted['read'] = read;
      ours['read'] = written(document.read);
    }
    return { ours, wanted };
  },
};
