/** The image that pods of an instance run, with its digest. */
import { imageReference, pinnedReference, splitReference } from '../contract/image.ts';
import type { Deployed } from '../deployments/types.ts';
import type { ServiceConfig, SystemConfig } from '../soa-configs/types.ts';

/** `<registry>/<image>` of a version: the registry of service.yaml, else of the system configuration; `undefined` when neither says. */
export function imageOf(service: ServiceConfig, system: SystemConfig, deployed: Deployed): string | undefined {
  const registry = service.dockerRegistry ?? system.dockerRegistry;
  return registry === undefined || registry === '' ? undefined : imageReference(registry, deployed.dockerImage);
}

/** Digest that a running container is pinned to, when it runs the same repository and tag: then the registry need not be asked. */
export function liveDigest(reference: string, liveImage: string | undefined): string | undefined {
  if (liveImage === undefined) return undefined;
  const [wanted, live] = [splitReference(reference), splitReference(liveImage)];
  return live.repository === wanted.repository && live.tag === wanted.tag ? live.digest : undefined;
}

/** Pinned reference and digest; the digest is `undefined` when nobody knows it. */
export function pinned(reference: string, digest: string | undefined): { readonly image: string; readonly digest: string | undefined } {
  return digest === undefined ? { image: reference, digest } : { image: pinnedReference(reference, digest), digest };
}
