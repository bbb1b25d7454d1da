/**
 * Names of images. Repository `services-<service>`, tag `paasta-<sha>[-<image version>]`. Rules: `build_docker_image_name`,
 * `get_deployment_version_from_dockerurl`, `get_git_sha_from_dockerurl` of paasta_tools/utils.py.
 */
import type { DeploymentVersion } from './deployment-version.ts';

/** Docker repository of a service, without registry. */
export function imageRepository(service: string): string {
  return `services-${service}`;
}

/** Tag of a version. An empty image version counts as none (register P40). */
export function imageTag(version: { readonly sha: string; readonly imageVersion?: string | null | undefined }): string {
  return version.imageVersion ? `paasta-${version.sha}-${version.imageVersion}` : `paasta-${version.sha}`;
}

/** Registry-relative image as deployments.json stores it: `services-<service>:paasta-<sha>[-<image version>]`. */
export function dockerImage(service: string, version: { readonly sha: string; readonly imageVersion?: string | null | undefined }): string {
  return `${imageRepository(service)}:${imageTag(version)}`;
}

/** `<registry>/<image>`. The registry is host[:port] and may have a path (`ghcr.io/acme`); a trailing slash is dropped. */
export function imageReference(registry: string, image: string): string {
  return `${registry.replace(/(?<!\/)\/+$/, '')}/${image}`;
}

/** Digest-pinned form `<repo>:<tag>@<digest>`; an older digest is replaced. */
export function pinnedReference(reference: string, digest: string): string {
  return `${reference.split('@', 1)[0] ?? ''}@${digest}`;
}

/** Parts of an image reference. */
export interface ReferenceParts {
  /** Registry and path: all before the tag. */
  readonly repository: string;
  readonly tag: string | undefined;
  /** `sha256:…`. */
  readonly digest: string | undefined;
}

/** Splits a reference; a colon before the last slash is the port of the registry, not a tag. */
export function splitReference(reference: string): ReferenceParts {
  const at = reference.indexOf('@');
  const name = at === -1 ? reference : reference.slice(0, at);
  const colon = name.lastIndexOf(':');
  const tagged = colon > name.lastIndexOf('/');
  return {
    repository: tagged ? name.slice(0, colon) : name,
    tag: tagged ? name.slice(colon + 1) : undefined,
    digest: at === -1 ? undefined : reference.slice(at + 1),
  };
}

/** Version that an image reference names; `undefined` when its tag is not one of ours. The sha may be short in old images. Only the first line is read. */
export function versionOfImage(text: string): DeploymentVersion | undefined {
  const reference = text.split('\n', 1)[0] ?? '';
  // The last `:paasta-` that is followed by a sha counts, as in a greedy match.
  let from = reference.length;
  for (;;) {
    const start = from < 0 ? -1 : reference.lastIndexOf(':paasta-', from);
    if (start === -1) return undefined;
    const tag = reference.slice(start + ':paasta-'.length);
    const sha = /^[A-Za-z0-9]+/.exec(tag)?.[0];
    if (sha !== undefined) {
      const rest = /^-([^@]+)/.exec(tag.slice(sha.length))?.[1];
      return { sha, imageVersion: rest ?? null };
    }
    from = start - 1;
  }
}

/** The commit that an image reference names; for foreign images what stands last in its name (`busybox`, `1.2.3`). */
export function shaOfImage(reference: string): string {
  if (reference.includes(':paasta-')) return versionOfImage(reference)?.sha ?? '';
  return reference.split('/').at(-1)?.split('-').at(-1)?.split(':').at(-1) ?? '';
}
