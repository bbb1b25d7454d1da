import { resolve } from 'node:path';
import type { Runtime } from '../shared/contract/ports.ts';
import { isDirectory, openTree } from '../shared/files/tree.ts';
import { connectGit } from '../shared/git/index.ts';
import { networkFetch } from '../shared/network/index.ts';
import { tracedRun } from '../shared/process/index.ts';
import { createRegistry, dockerCredentials, givenCredentials } from '../shared/registry/index.ts';
import { currentCommit, keepHeapSmall } from '../shared/runtime/index.ts';
import type { DeployWire } from './main.ts';
import { createVersions } from './versions.ts';

const PUBLIC_API = 'https://api.github.com';

/** The stage's real world: files, git, GitHub, the registry, the cluster. */
export function wire(runtime: Runtime): DeployWire {
  const { env, log, mask, clock, signal, name, workingDirectory } = runtime;
  const run = tracedRun(log);
  keepHeapSmall();
  return {
    tree: (path) => openTree(resolve(workingDirectory, path)),
    isDirectory,
    async commitOf(directory) {
      try {
        return await currentCommit(run, directory);
      } catch {
        return '';
      }
    },
    versions: (inputs, cluster, soa, tree) => {
      const apiUrl = inputs.githubApiUrl ?? PUBLIC_API;
      const token = inputs.githubToken;
      return createVersions({
        soa,
        tree,
        cluster,
        deployGroup: inputs.deployGroup,
        stopBindsTo: inputs.stopBindsTo,
        gitUrl: inputs.gitUrl,
        token,
        jobRepository: env['GITHUB_REPOSITORY'],
        log,
        github: async () => {
          const { connectGitHub, repositoryAddress, serverUrlOf } = await import('../shared/github/index.ts');
          const connect = (): ReturnType<typeof connectGitHub> => connectGitHub({ apiUrl, token, userAgent: name, log, mask, env, signal });
          return {
            serverHost: new URL(serverUrlOf(apiUrl)).host.toLowerCase(),
            parse: repositoryAddress,
            repository: (owner, repository) => connect().repository(owner, repository),
          };
        },
        git: (url) => connectGit({ url, run, env, mask, signal }),
      });
    },
    digests: ({ insecureRegistry, registryUsername: username, registryPassword: password }, address) => {
      const credentials = givenCredentials({ registry: address, username, password, mask }, dockerCredentials({ env, run, mask, log }));
      const registry = createRegistry({
        credentials,
        log,
        mask,
        clock,
        signal,
        insecure: insecureRegistry,
        userAgent: name,
        fetch: networkFetch(env),
      });
      return {
        resolveDigest: async (reference) => (await registry.resolveDigest(reference))?.digest,
        members: async (reference) => (await registry.members(reference))?.map((m) => m.digest),
      };
    },
    connect: async (kubeconfig, context) => {
      const { connectCluster } = await import('../shared/kubernetes/index.ts');
      return connectCluster({
        kubeconfig,
        userAgent: `paasta-actions ${name}`,
        log,
        mask,
        clock,
        signal,
        env,
        ...(context === undefined ? {} : { context }),
      });
    },
  };
}
