import { connectGitHub, repositoryAddress, serverUrlOf } from '../../../src/shared/github/index.ts';

describe('repositoryAddress', () => {
  it.each([
    ['https://github.com/acme/web.git', 'github.com', 'acme', 'web'],
    ['https://x:y@GitHub.com/acme/web', 'github.com', 'acme', 'web'],
    ['git@github.com:acme/web.git', 'github.com', 'acme', 'web'],
    ['ssh://git@ghe.corp:22/acme/my.web.git', 'ghe.corp:22', 'acme', 'my.web'],
    ['http://127.0.0.1:8080/acme/web.git/', '127.0.0.1:8080', 'acme', 'web'],
  ])('%s', (url, host, owner, name) => {
    expect(repositoryAddress(url)).toEqual({ host, owner, name });
  });
  it.each(['/srv/git/web.git', './web', 'https://github.com/acme', 'https://gitlab.com/group/sub/web.git', 'file:///srv/web.git', ''])(
    '%j names no owner and name',
    (url) => {
      expect(repositoryAddress(url)).toBeUndefined();
    },
  );
});

describe('serverUrlOf', () => {
  it.each([
    ['https://api.github.com', 'https://github.com'],
    ['https://ghe.corp/api/v3', 'https://ghe.corp'],
    ['https://api.octo.ghe.com', 'https://octo.ghe.com'],
    ['http://127.0.0.1:99/api/v3', 'http://127.0.0.1:99'],
  ])('%s', (api, server) => {
    expect(serverUrlOf(api)).toBe(server);
  });
});

describe('connectGitHub', () => {
  const log = {
    debug: () => undefined,
    info: () => undefined,
    problem: () => undefined,
    group: <T>(_title: string, body: () => Promise<T>) => body(),
  };
  const options = { apiUrl: 'https://api.github.com', token: 't', userAgent: 'x', log, mask: () => undefined, env: {} };
  it('takes pages from the environment when it speaks of the same server', () => {
    expect(
      connectGitHub({
        ...options,
        apiUrl: 'https://e/api/v3/',
        env: { GITHUB_API_URL: 'https://e/api/v3', GITHUB_SERVER_URL: 'https://pages.e' },
      }).serverUrl,
    ).toBe('https://pages.e');
    expect(
      connectGitHub({
        ...options,
        apiUrl: 'https://e/api/v3',
        env: { GITHUB_API_URL: 'https://api.github.com', GITHUB_SERVER_URL: 'https://github.com' },
      }).serverUrl,
    ).toBe('https://e');
  });
  it.each([
    [{ token: '' }, 'there is no token for the GitHub API'],
    [{ apiUrl: 'github.com' }, "github-api-url is not an http(s) address: 'github.com'"],
    [{ env: { HTTPS_PROXY: 'socks5://u:geheim@h:1' } }, "HTTPS_PROXY is not the address of an HTTP proxy: 'socks5://***@h:1'"],
  ])('refuses %j', (wrong, text) => {
    expect(() => connectGitHub({ ...options, ...wrong })).toThrow(text);
  });
});
