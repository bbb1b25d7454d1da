/** `paasta push-to-registry`. Upstream: paasta_tools/cli/cmds/push_to_registry.py. */
import { dockerImage, imageReference } from '../shared/contract/image.ts';
import type { Runtime, TreeReader } from '../shared/contract/ports.ts';
import type { Run } from '../shared/process/index.ts';
import type { Registry } from '../shared/registry/index.ts';
import { currentCommit, currentService, placing, requireService } from '../shared/runtime/index.ts';
import { loadSoaConfigs, loadSystemConfig, registryAddress } from '../shared/soa-configs/index.ts';
import { readPushInputs, type PushInputs } from './inputs.ts';
import { pushSummary, writeOutputs } from './outputs.ts';
import { pushImages, type PushDocker, type PushedImage } from './push.ts';

/** What the stage needs of the world. */
export interface PushWire {
  readonly run: Run;
  readonly docker: PushDocker;
  /** A directory, relative to that of the run. */
  tree(path: string): TreeReader;
  /** `insecure`: plain HTTP is allowed. */
  registry(options: { readonly insecure: boolean }): Registry;
}

export async function main(runtime: Runtime, wire: PushWire): Promise<void> {
  const inputs = readPushInputs(runtime);
  const { service, sha, registry } = await settle(runtime, wire, inputs);
  const reference = imageReference(registry, dockerImage(service, { sha, imageVersion: inputs.imageVersion }));
  const legacyReference =
    inputs.imageVersion !== null && inputs.pushLegacyTag ? imageReference(registry, dockerImage(service, { sha })) : undefined;
  const images: PushedImage[] = [];
  try {
    await pushImages(
      { reference, legacyReference, force: inputs.force, timeout: inputs.timeout, dryRun: inputs.dryRun },
      {
        registry: wire.registry({ insecure: inputs.insecureRegistry }),
        docker: wire.docker,
        clock: runtime.clock,
        log: runtime.log,
        signal: runtime.signal,
      },
      (image) => images.push(image),
    );
  } finally {
    const own = images.find((image) => image.reference === reference);
    writeOutputs(runtime, own ?? { reference, state: 'would-push', digest: undefined, replaced: undefined });
    if (images.length > 0) await runtime.addSummary(pushSummary(service, images));
  }
}

/** Service, commit and registry, from the inputs or from what the checkout and soa-configs say. */
async function settle(
  runtime: Runtime,
  wire: PushWire,
  inputs: PushInputs,
): Promise<{ readonly service: string; readonly sha: string; readonly registry: string }> {
  const soa = wire.tree(inputs.soaDir);
  const service = inputs.service ?? (await currentService(runtime, wire.run, soa));
  requireService(service, soa);
  const sha = inputs.commit ?? (await currentCommit(wire.run, runtime.workingDirectory));
  if (inputs.registry !== undefined) return { service, sha, registry: inputs.registry };
  const systemConfig = wire.tree(inputs.systemConfigDir);
  const registry = await placing(runtime, [soa, systemConfig], () => {
    const system = loadSystemConfig(systemConfig);
    return registryAddress(undefined, loadSoaConfigs(soa, system).load(service), system);
  });
  return { service, sha, registry };
}
