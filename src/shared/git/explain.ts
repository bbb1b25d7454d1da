/** What git's own words mean to the user: one stable code per cause. Git speaks English here because we set LC_ALL=C. */
import { problem } from '../contract/errors.ts';
import type { Problem } from '../contract/errors.ts';
import type { GitAddress } from './address.ts';

export interface GitFailure {
  /** What was tried, as an infinitive. */
  readonly what: string;
  readonly address: GitAddress;
  readonly output: string;
  readonly timedOut: boolean;
  /** Seconds of the limit, for the message. */
  readonly timeout: number;
  readonly authenticated: boolean;
}

/** The lines that say something: `fatal:`, `error:`, `remote:`, rejections. */
function essence(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const telling = lines.filter((line) => /^(fatal|error|remote|!)/.test(line));
  return (telling.length === 0 ? lines : telling)
    .slice(0, 4)
    .map((line) => line.replace(/^(fatal|error):\s*/, ''))
    .join('; ')
    .slice(0, 500);
}

export function explainGit({ what, address, output, timedOut, timeout, authenticated }: GitFailure): Problem {
  const { host } = address;
  const prefix = `cannot ${what} at ${address.url}`;
  const said = essence(output);
  if (timedOut)
    return problem('GIT_TIMEOUT', `${prefix}: ${host} did not answer within ${String(timeout)} s`, {
      hint: 'is the git server reachable from here (proxy, VPN, firewall)?',
    });
  if (/GH013|rule violations|protected (ref|tag)|creations being restricted/i.test(output)) {
    return problem('GIT_RULESET', `${prefix}: a rule of the repository forbids it (${said})`, {
      hint: 'add the account to the bypass list of the ruleset for refs/tags/paasta-*, or exclude these tags from the rule',
    });
  }
  if (/without [`'"]?workflows?[`'"]? (permission|scope)/i.test(output)) {
    return problem(
      'GITHUB_WORKFLOWS_PERMISSION',
      `${prefix}: the commit holds .github/workflows files that no branch has (usual for older commits), and GitHub lets only tokens with the permission 'workflows: write' (beside contents: write) create refs to such commits`,
      {
        input: 'github-token',
        hint: 'the job token cannot have that permission: use the token of a GitHub App with Contents and Workflows set to read and write, or a deploy key',
      },
    );
  }
  if (
    /not our ref|did not send all necessary objects|couldn't find remote ref|bad object|unadvertised object|not a valid object|remote error: upload-pack: not our ref|missing necessary objects/i.test(
      output,
    )
  ) {
    return problem('COMMIT_NOT_ON_SERVER', `${prefix}: the commit is not in that repository (${said})`, {
      input: 'commit',
      hint: 'push the commit first',
    });
  }
  if (
    /Permission to .* denied|Write access to repository not granted|requested URL returned error: 403|deploy key.*read.only|marked as read only/i.test(
      output,
    )
  ) {
    return problem('GIT_FORBIDDEN', `${prefix}: the account may not do that (${said})`, {
      hint: "in a job: 'permissions: contents: write'; elsewhere: an account or deploy key with write access",
    });
  }
  if (
    /could not read Username|could not read Password|Authentication failed|Invalid username or|Permission denied \(|requested URL returned error: 401|terminal prompts disabled|HTTP Basic: Access denied/i.test(
      output,
    )
  ) {
    return problem(
      'GIT_AUTHENTICATION',
      authenticated
        ? `${prefix}: ${host} does not accept the credentials (${said})`
        : `${prefix}: ${host} asks for credentials and there are none (${said})`,
      { hint: 'pass github-token, or give git credentials of its own (ssh key, credential helper); nobody can be asked here' },
    );
  }
  if (/Host key verification failed/i.test(output))
    return problem('GIT_HOST_KEY', `${prefix}: the host key of ${host} is not known`, {
      hint: `add it to known_hosts: ssh-keyscan ${host}, and compare the fingerprint`,
    });
  if (/SSL certificate|certificate verify|server certificate verification failed|unable to get local issuer/i.test(output)) {
    return problem('GIT_CERTIFICATE', `${prefix}: the certificate of ${host} is not trusted (${said})`, {
      hint: 'give your CA with NODE_EXTRA_CA_CERTS or GIT_SSL_CAINFO; checking is never turned off',
    });
  }
  if (
    /Could not resolve host|Could not resolve proxy|Could not resolve hostname|Connection refused|Failed to connect|Couldn't connect|Connection timed out|No route to host|Network is unreachable|Connection reset|CONNECT tunnel failed|Proxy|Empty reply|requested URL returned error: 5\d\d|unable to access/i.test(
      output,
    ) &&
    !/not found/i.test(output)
  ) {
    return problem('GIT_UNREACHABLE', `${prefix}: the git server ${host} cannot be reached (${said})`, {
      hint: 'check the address, HTTPS_PROXY and NO_PROXY, and whether the git server is up',
    });
  }
  if (/[Rr]epository.* not found|does not appear to be a git repository|does not exist|not found/.test(output)) {
    return problem('GIT_REPOSITORY_NOT_FOUND', `${prefix}: there is no such repository, or the account may not see it (${said})`, {
      input: 'git-url',
      hint: 'check git_url in service.yaml (or the input git-url)',
    });
  }
  return problem('GIT_FAILED', `${prefix}: ${said === '' ? 'git failed without a word' : said}`);
}

/** True when another try may help: the server or the network was at fault, and nothing has been refused. */
export function isPassing(output: string): boolean {
  return /requested URL returned error: 5\d\d|Connection reset|Empty reply|early EOF|hung up unexpectedly|RPC failed|Connection timed out|Connection refused|Failed to connect|Couldn't connect/i.test(
    output,
  );
}
