import { openConnection } from './client.ts';
import type { ConnectOptions } from './options.ts';
import { repositoryOf } from './repository.ts';
import type { GitHubRepository } from './types.ts';

/** One client, and the repositories behind it. Its own module, because Octokit comes with it: `connect.ts` loads it late. */
export function openRepositories(options: ConnectOptions): (owner: string, name: string) => GitHubRepository {
  const connection = openConnection(options);
  return (owner, name) => repositoryOf(connection, owner, name);
}
