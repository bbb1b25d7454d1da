/** A service in a tree in memory, rendered by the product's own loaders. */
import { loadSoaConfigs, systemConfigOf, type Value } from '../../../src/shared/soa-configs/index.ts';
import {
  isNotRendered,
  renderInstance,
  type NotRendered,
  type RenderedInstance,
  type RenderInput,
} from '../../../src/shared/workload/index.ts';
import { memoryTree } from '../../support/memory-tree.ts';

export const SHA = '8f3c0d9a1b2c3d4e5f60718293a4b5c6d7e8f901';
export const DIGEST = `sha256:${'ab'.repeat(32)}`;

export interface Given {
  readonly service?: string;
  readonly instance?: string;
  /** Body of the instance in kubernetes-lab-east.yaml, as YAML in braces or lines. */
  readonly yaml: string;
  readonly type?: 'kubernetes' | 'eks' | 'adhoc';
  readonly smartstack?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly system?: Readonly<Record<string, Value>>;
  readonly control?: RenderInput['control'];
  readonly imageVersion?: string;
  readonly sha?: string;
  readonly soaCommit?: string;
  readonly live?: RenderInput['live'];
  /** `null`: nobody knows it. */
  readonly digest?: string | null;
  readonly options?: Partial<RenderInput['options']>;
}

/** What `renderInstance` gets for a description. */
export function given(description: Given): RenderInput {
  const name = description.service ?? 'ledger_api';
  const instanceName = description.instance ?? 'main';
  const system = systemConfigOf({
    cluster: 'lab-east',
    clusters: ['lab-east'],
    docker_registry: 'registry.example.net',
    volumes: [],
    ...description.system,
  });
  const files: Record<string, string> = {
    [`${name}/${description.type ?? 'kubernetes'}-lab-east.yaml`]: `${instanceName}:\n${description.yaml
      .split('\n')
      .map((line) => `  ${line}`)
      .join('\n')}\n`,
    ...description.files,
  };
  if (description.smartstack !== undefined) files[`${name}/smartstack.yaml`] = description.smartstack;
  const service = loadSoaConfigs(memoryTree(files), system).load(name);
  const instance = service.instances.find((entry) => entry.instance === instanceName);
  if (instance === undefined) throw new Error(`no instance: ${JSON.stringify(service.problems)}`);
  const sha = description.sha ?? SHA;
  const imageVersion = description.imageVersion ?? null;
  return {
    instance,
    service,
    system,
    deployed: { sha, imageVersion, dockerImage: `services-${name}:paasta-${sha}${imageVersion === null ? '' : `-${imageVersion}`}` },
    control: description.control ?? { desiredState: 'start', forceBounce: null },
    soaCommit: description.soaCommit ?? '',
    live: description.live,
    digest: description.digest === null ? undefined : (description.digest ?? DIGEST),
    options: { pinDigest: true, preStop: 'exec', ...description.options },
  };
}

export function attempt(description: Given): RenderedInstance | NotRendered {
  return renderInstance(given(description));
}

/** The objects; a refusal fails the test with its problems. */
export function rendering(description: Given): RenderedInstance {
  const result = attempt(description);
  if (isNotRendered(result)) throw new Error(result.problems.map(({ code, message }) => `${code}: ${message}`).join('\n'));
  return result;
}

/** The problems; objects fail the test. */
export function refusal(description: Given): NotRendered['problems'] {
  const result = attempt(description);
  if (!isNotRendered(result)) throw new Error('it was rendered');
  return result.problems;
}

export interface Pod {
  readonly metadata: { readonly labels: Record<string, string>; readonly annotations: Record<string, string> };
  readonly spec: { readonly containers: readonly Record<string, unknown>[]; readonly [key: string]: unknown };
}

export function podOf(result: RenderedInstance): Pod {
  return result.workload.spec?.['template'] as Pod;
}

export function mainOf(result: RenderedInstance): Record<string, unknown> {
  return podOf(result).spec.containers[0] ?? {};
}

/** Variables of the main container in order, `name=value` or `name<-source`. */
export function environmentOf(result: RenderedInstance): readonly string[] {
  const env = mainOf(result)['env'] as readonly { name: string; value?: string; valueFrom?: Record<string, Record<string, unknown>> }[];
  return env.map((entry) =>
    entry.valueFrom === undefined
      ? `${entry.name}=${entry.value}`
      : `${entry.name}<-${Object.entries(entry.valueFrom)
          .map(([kind, from]) => `${kind}:${String(from['fieldPath'] ?? `${String(from['name'])}/${String(from['key'])}`)}`)
          .join()}`,
  );
}
