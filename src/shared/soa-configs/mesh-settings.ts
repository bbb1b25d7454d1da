/** Mesh namespace of a registration with PaaSTA's defaults. Rule: `ServiceNamespaceConfig` in long_running_service_tools.py. */
import { problem, type Problem } from '../contract/errors.ts';
import { isMap, numberOf, type Value } from '../contract/values.ts';
import type { MeshNamespaceEntry } from './schema-types.ts';
import type { MeshMode, MeshSettings, Unchecked } from './settings-types.ts';
import type { MeshNamespace } from './types.ts';
import { emptyMap, isTruthy, keysOf } from './yaml-values.ts';

const KEPT = [
  'healthcheck_mode',
  'healthcheck_uri',
  'healthcheck_port',
  'healthcheck_timeout_s',
  'healthcheck_body_expect',
  'updown_timeout_s',
  'proxy_port',
  'timeout_connect_ms',
  'timeout_server_ms',
  'retries',
  'mode',
  'discover',
  'advertise',
  'extra_healthcheck_headers',
  'lb_policy',
  'endpoint_timeouts',
] as const satisfies readonly (keyof MeshNamespaceEntry)[];
const MODES: readonly MeshMode[] = ['http', 'http2', 'tcp', 'https'];

/** Settings of a mesh namespace; `problem` when its values cannot be used. */
export function meshSettingsOf(namespace: MeshNamespace): { readonly mesh: MeshSettings; readonly problem: Problem | undefined } {
  const file = namespace.values ?? emptyMap();
  // PaaSTA reads `routes`, which its schema lacks.
  const entry: Unchecked<MeshNamespaceEntry & { readonly routes?: Value }> = file;
  const values = emptyMap();
  let bad: Problem | undefined;
  const refuse = (message: string, hint?: string): void => {
    bad ??= problem(
      'MESH_NAMESPACE_INVALID',
      `smartstack.yaml, namespace of ${namespace.registration}: ${message}`,
      hint === undefined ? {} : { hint },
    );
  };
  for (const key of keysOf(file)) if ((KEPT as readonly string[]).includes(key)) values[key] = file[key] as Value;
  let mode: MeshMode | null = namespace.inMesh ? 'http' : null;
  const given = entry.mode;
  if (given !== undefined && given !== null) {
    const known = MODES.find((one) => one === given);
    if (known !== undefined) mode = known;
    else refuse(`mode must be one of ${MODES.join(', ')}`);
  }
  values.mode = mode;
  const pairs = emptyMap();
  const advertise = entry.extra_advertise;
  if (isMap(advertise))
    pairs.extra_advertise = keysOf(advertise).flatMap((from) =>
      Array.isArray(advertise[from]) ? (advertise[from] as readonly Value[]).map((to): Value => [from, to]) : [],
    );
  if (Array.isArray(entry.routes)) {
    pairs.routes = (entry.routes as readonly Value[]).flatMap((route) =>
      isMap(route) && Array.isArray(route.destinations)
        ? (route.destinations as readonly Value[]).map((to): Value => [route.source ?? null, to])
        : [],
    );
  }
  for (const key of keysOf(pairs)) values[key] = pairs[key] as Value;

  let healthcheckMode: string | null = mode;
  if (isTruthy(entry.healthcheck_mode)) {
    if (typeof entry.healthcheck_mode === 'string') healthcheckMode = entry.healthcheck_mode;
    else refuse('healthcheck_mode must be text');
  }
  // N2: PaaSTA turns http2 into http only when it comes from `mode`, and cannot render the other spelling.
  if (healthcheckMode === 'http2') healthcheckMode = 'http';
  const text = (key: keyof MeshNamespaceEntry, fallback: string): string => {
    const value = entry[key];
    if (value === undefined) return fallback;
    if (typeof value === 'string') return value;
    refuse(`${key} must be text`);
    return fallback;
  };
  const timeout = entry.timeout_server_ms === undefined ? 1_000 : numberOf(entry.timeout_server_ms);
  if (timeout === undefined) refuse('timeout_server_ms must be a number of milliseconds');
  const endpoints = isMap(entry.endpoint_timeouts)
    ? keysOf(entry.endpoint_timeouts).map((key) => numberOf((entry.endpoint_timeouts as Readonly<Record<string, Value>>)[key]))
    : [];
  if (endpoints.includes(undefined)) refuse('endpoint_timeouts must be numbers of milliseconds');
  const port = numberOf(entry.proxy_port);
  return {
    problem: bad,
    mesh: {
      values,
      inMesh: namespace.inMesh,
      proxyPort: port ?? null,
      mode,
      healthcheckMode,
      healthcheckUri: text('healthcheck_uri', '/status'),
      discover: text('discover', 'region'),
      timeoutServerMs: timeout ?? 1_000,
      longestTimeoutMs: Math.max(timeout ?? 1_000, ...endpoints.map((n) => n ?? 0)),
    },
  };
}
