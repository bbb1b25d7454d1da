/** Git addresses as users write them: `git_url` of service.yaml, `--git-url`, `origin`. PaaSTA: remote_git.py `_make_determine_wants_func` takes what dulwich takes. */
import { problem, UserError } from '../contract/errors.ts';

export interface GitAddress {
  /** Handed to git; never holds a password. */
  readonly url: string;
  readonly kind: 'http' | 'ssh' | 'git' | 'local';
  /** Host, or the path of a local repository: for messages. */
  readonly host: string;
  /** From `https://user:password@host/…`. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
}

const forms =
  'https://host/owner/name.git, ssh://git@host/owner/name.git, git@host:owner/name.git, git://host/path, file:///path or a local path';

function refuse(url: string): never {
  throw new UserError(
    problem('INVALID_GIT_URL', `not the address of a git repository: '${url.replace(/\/\/[^@/]*@/, '//***@')}'`, {
      input: 'git-url',
      hint: `legal forms: ${forms}`,
    }),
  );
}

/** Throws `UserError` INVALID_GIT_URL: other transports (`ext::`, which would run programs), options, control characters. */
export function parseGitUrl(text: string): GitAddress {
  const url = text.trim();
  if (url === '' || url.startsWith('-') || [...url].some((character) => (character.codePointAt(0) ?? 0) < 0x20)) return refuse(text);
  if (/^https?:\/\//i.test(url)) {
    if (!URL.canParse(url)) return refuse(text);
    const parsed = new URL(url);
    const credentials =
      parsed.password === '' && parsed.username === ''
        ? undefined
        : { username: decodeURIComponent(parsed.username), password: decodeURIComponent(parsed.password) };
    parsed.username = '';
    parsed.password = '';
    return { url: parsed.toString(), kind: 'http', host: parsed.host, credentials };
  }
  const withScheme = /^([a-z+]+):\/\/(?:([^@/]*)@)?([^/]*)(\/.*)$/i.exec(url);
  if (withScheme !== null) {
    const [, scheme = '', user = '', host = '', path = ''] = withScheme;
    if (user.includes(':') || user.startsWith('-') || host.startsWith('-')) return refuse(text);
    if (scheme === 'ssh' || scheme === 'git+ssh') return { url: url.replace(/^git\+/, ''), kind: 'ssh', host, credentials: undefined };
    if (scheme === 'git') return { url, kind: 'git', host, credentials: undefined };
    if (scheme === 'file') return { url, kind: 'local', host: path, credentials: undefined };
    return refuse(text);
  }
  if (/^[^/:]+::/.test(url) || url.includes('://')) return refuse(text);
  const scp = /^(?:[\w.-]+@)?([\w[\].-]+):(.+)$/.exec(url);
  if (scp !== null) return { url, kind: 'ssh', host: scp[1] ?? '', credentials: undefined };
  return { url, kind: 'local', host: url, credentials: undefined };
}
