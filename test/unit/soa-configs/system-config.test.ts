import { Float } from '../../../src/shared/contract/values.ts';
import { readJson } from '../../../src/shared/soa-configs/json.ts';
import { loadSystemConfig, systemConfigOf } from '../../../src/shared/soa-configs/system-config.ts';
import { systemSettingsOf } from '../../../src/shared/soa-configs/system-settings.ts';
import { memoryTree } from '../../support/memory-tree.ts';

it('merges all JSON files, hidden ones and subdirectories too; other names do not count', () => {
  const system = loadSystemConfig(
    memoryTree({
      '.h.json': '{"cluster": "dev"}',
      'a.json': '{"vault_cluster_map": {"dev": "d"}}',
      'sub/b.json': '{"clusters": ["dev"], "vault_cluster_map": {"prod": "p"}}',
      'c.yaml': 'cluster: x',
      'd.json.bak': '{',
    }),
  );
  expect(system.problems).toEqual([]);
  expect(system.values).toEqual({ cluster: 'dev', clusters: ['dev'], vault_cluster_map: { dev: 'd', prod: 'p' } });
  expect(system.cluster).toBe('dev');
});

it('refuses one leaf in two files, naming both', () => {
  const system = loadSystemConfig(memoryTree({ 'a.json': '{\n  "m": {"x": 1}\n}', 'b.json': '{\n  "m": {\n    "x": 1\n  }\n}' }));
  expect(system.problems).toEqual([
    {
      severity: 'error',
      code: 'SYSTEM_CONFIG_DUPLICATE',
      message: 'm.x is set in two files: a.json line 2 and b.json',
      file: 'b.json',
      line: 3,
      column: 5,
      hint: 'keep one of the two: PaaSTA refuses a key that two files set, even with equal values',
    },
  ]);
});

it('ignores the second copy that Kubernetes makes of a mounted ConfigMap', () => {
  expect(loadSystemConfig(memoryTree({ 'a.json': '{"cluster": "dev"}', '..2026/a.json': '{"cluster": "dev"}' })).problems).toEqual([]);
  // Only a directory is Kubernetes' own: a file of that name counts, as in PaaSTA.
  expect(loadSystemConfig(memoryTree({ '..site.json': '{"cluster": "dev"}' })).cluster).toBe('dev');
});

it('goes on after a broken file, and says line and column', () => {
  const system = loadSystemConfig(memoryTree({ 'a.json': '{"a": 1,}', 'b.json': '{"cluster": "dev"}', 'c.json': '[]', 'd.json': '' }));
  expect(system.cluster).toBe('dev');
  expect(system.problems.map((p) => `${p.file ?? ''}:${p.line ?? 0}:${p.column ?? 0} ${p.message}`)).toEqual([
    "a.json:1:9 a comma before '}'",
    'c.json:1:1 the file does not hold a JSON object',
    'd.json:1:1 the file is empty',
  ]);
});

it('has nothing to say about a missing directory', () => {
  expect(loadSystemConfig(memoryTree({}))).toMatchObject({ values: {}, clusters: [], problems: [] });
});

it.each<[string, string]>([
  ["{'a': 1}", "expected a key in double quotes, found ''a': 1}'"],
  ['{"a" = 1}', 'expected \':\' after the key "a"'],
  ['{"a": True}', "expected a value, found 'True}'"],
  ['{"a": "b\n"}', 'a double quote is not closed on its line'],
  ['{"a": 1 "b": 2}', "expected ',' or '}', found '\"b\": 2}'"],
  ['{"a": [1, 2', "a '[' is never closed"],
  ['{} x', "text after the end of the value: 'x'"],
  ['// c\n{}', 'JSON has no comments'],
])('explains %s', (text, message) => {
  expect(readJson(text, 'a.json').problem?.message).toBe(message);
});

it('reads numbers as Python does', () => {
  expect(readJson('{"a": 1.0, "b": 1, "c": NaN, "d": 12345678901234567890, "e": 1e2}', 'a.json').document?.value).toEqual({
    a: new Float(1),
    b: 1,
    c: NaN,
    d: 12345678901234567890n,
    e: new Float(100),
  });
});

it('survives deep nesting', () => {
  expect(readJson('['.repeat(100_000), 'a.json').problem?.message).toMatch(/nested more than 200 levels deep/);
});

it('knows the defaults', () => {
  const settings = systemSettingsOf(systemConfigOf({ sensu_port: '3031' }));
  expect(settings).toMatchObject({
    sensuPort: 3031,
    synapsePort: 3212,
    pdbMaxUnavailable: 0,
    enableNerveReadinessCheck: true,
    unhealthyPodEvictionPolicy: 'IfHealthyBudget',
  });
  expect(settings.systemDockerRegistry).toBeUndefined();
});

it('takes an empty mapping for an empty list where PaaSTA walks through it', () => {
  const settings = systemSettingsOf(
    systemConfigOf({ deploy_blacklist: {}, hacheck_sidecar_volumes: {}, private_docker_registries: {}, cluster_aliases: {} }),
  );
  expect(settings).toMatchObject({ deployBlacklist: [], hacheckSidecarVolumes: [], privateDockerRegistries: [], clusterAliases: {} });
});
