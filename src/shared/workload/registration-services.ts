/**
 * One Service per registration that smartstack.yaml declares, shared by all instances that serve it (canary and main). Name: as
 * paasta_tools/setup_istio_mesh.py makes it; port: the proxy port of the registration, in front of the container port.
 */
import { problem, warning, type Problem } from '../contract/errors.ts';
import { canonicalJson } from '../contract/canonical-json.ts';
import { limitWithHash, paastaPrefixed, registrationLabel, sanitiseName, type LabelPrefixes } from '../contract/names.ts';
import { numberOf } from '../contract/values.ts';
import type { KubeObject } from '../objects/types.ts';
import type { InstanceSettings } from '../soa-configs/instance-settings.ts';
import type { MeshNamespace, ServiceConfig } from '../soa-configs/types.ts';
import { OWNERSHIP_LABEL, OWNERSHIP_VALUE } from './marks.ts';
import type { RenderedInstance } from './types.ts';
import { textOf } from './values-of.ts';

/** Port of a Service whose registration has no proxy port: what PaaSTA's mesh setup gives to all of them. */
const DEFAULT_PORT = 8888;
const PROTOCOLS = ['http', 'https', 'http2', 'tcp'];

/** Name of the Service of a registration. Services must begin with a letter: `svc-` goes before a digit. */
export function registrationServiceName(registration: string): string {
  const name = sanitiseName(registration).replaceAll('.', '---');
  return limitWithHash(/^[a-z]/.test(name) ? name : `svc-${name}`);
}

/** Registrations of an instance that smartstack.yaml declares. */
export function declaredRegistrations(settings: InstanceSettings, service: ServiceConfig): readonly MeshNamespace[] {
  return settings.registrations.map((registration) => service.mesh(registration)).filter((namespace) => namespace.values !== undefined);
}

/** Registrations that the instance writes and no smartstack.yaml declares: there is nothing that they could be found by. */
export function undeclaredRegistrations(
  settings: InstanceSettings,
  service: ServiceConfig,
): readonly (readonly [path: readonly (string | number)[], said: Problem])[] {
  if (!Array.isArray(settings.config['registrations'])) return [];
  return settings.registrations.flatMap((registration, index) => {
    if (
      settings.invalidRegistrations.includes(registration) ||
      service.mesh(registration).values !== undefined ||
      service.registered(registration).values !== undefined
    )
      return [];
    const [owner = '', namespace = ''] = registration.split('.');
    return [
      [
        ['registrations', index],
        warning(
          'UNKNOWN_REGISTRATION',
          `${settings.service}.${settings.instance} registers as '${registration}', but there is no '${namespace}' in ${owner}/smartstack.yaml: no Service is made for it`,
          { hint: `add '${namespace}: {proxy_port: …}' to ${owner}/smartstack.yaml, or correct the registration` },
        ),
      ] as const,
    ];
  });
}

/** Services of an instance, in its own namespace: selectors do not reach further. */
export function registrationServices(
  settings: InstanceSettings,
  declared: readonly MeshNamespace[],
  prefixes: LabelPrefixes,
): KubeObject[] {
  return declared.map(({ registration, values }) => {
    const mode = textOf(values?.['mode']) ?? 'http';
    const protocol = PROTOCOLS.includes(mode) ? mode : 'http';
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: registrationServiceName(registration),
        namespace: settings.namespace,
        labels: {
          [paastaPrefixed('service', prefixes)]: settings.service,
          [paastaPrefixed('managed', prefixes)]: 'true',
          [OWNERSHIP_LABEL]: OWNERSHIP_VALUE,
        },
        annotations: { [paastaPrefixed('registration', prefixes)]: registration },
      },
      spec: {
        selector: { [registrationLabel(registration, prefixes)]: 'true' },
        ports: [
          {
            name: protocol,
            port: numberOf(values?.['proxy_port']) ?? DEFAULT_PORT,
            targetPort: settings.containerPort,
            protocol: 'TCP',
            appProtocol: protocol,
          },
        ],
      },
    };
  });
}

/** Whose container port a Service sends to, by `namespace/name` of the Service. */
export type PortOwners = ReadonlyMap<string, { readonly port: number; readonly by: string }>;

/** The Service that the owner of its port wants. */
function sendingTo(service: KubeObject, targetPort: number): KubeObject {
  const ports = (service.spec?.['ports'] ?? []) as readonly Record<string, unknown>[];
  return { ...service, spec: { ...service.spec, ports: ports.map((port) => ({ ...port, targetPort })) } };
}

/**
 * Services by namespace and name, each once. Instances that want different ones under one name are contradictions: that of the owner is
 * kept, whether it is rendered in this run or not (else each deploy group would take the Service away from the other), else the first.
 */
export function mergeServices(
  rendered: readonly RenderedInstance[],
  owners: PortOwners = new Map(),
): { readonly services: readonly KubeObject[]; readonly problems: readonly Problem[] } {
  const kept = new Map<string, { readonly service: KubeObject; readonly by: string }>();
  const problems: Problem[] = [];
  for (const instance of rendered) {
    const by = `${instance.service}.${instance.instance}`;
    for (const service of instance.services) {
      const key = `${service.metadata.namespace ?? ''}/${service.metadata.name}`;
      const owner = owners.get(key);
      const first = kept.get(key) ?? (owner === undefined ? { service, by } : { service: sendingTo(service, owner.port), by: owner.by });
      kept.set(key, first);
      if (canonicalJson(first.service.spec) === canonicalJson(service.spec)) continue;
      problems.push(
        problem(
          'SERVICE_CONTRADICTION',
          `${by} and ${first.by} share Service ${key} but want different ports: ${portsOf(service)} and ${portsOf(first.service)}`,
          { hint: 'instances of one registration need the same container_port' },
        ),
      );
    }
  }
  return { services: [...kept.values()].map(({ service }) => service), problems };
}

function portsOf(service: KubeObject): string {
  const ports = service.spec?.['ports'];
  return Array.isArray(ports)
    ? (ports as readonly { port?: unknown; targetPort?: unknown }[])
        .map(({ port, targetPort }) => `${String(port)} → ${String(targetPort)}`)
        .join(', ')
    : 'none';
}
