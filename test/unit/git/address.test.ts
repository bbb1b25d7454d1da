import { gitEnvironment } from '../../../src/shared/git/remote.ts';
import { parseGitUrl } from '../../../src/shared/git/index.ts';
import { explainGit } from '../../../src/shared/git/explain.ts';

describe('parseGitUrl', () => {
  it.each([
    [
      'https://u:p%40ss@h.example/a/b.git',
      { url: 'https://h.example/a/b.git', kind: 'http', host: 'h.example', credentials: { username: 'u', password: 'p@ss' } },
    ],
    [
      'git@github.yelpcorp.com:services/web',
      { url: 'git@github.yelpcorp.com:services/web', kind: 'ssh', host: 'github.yelpcorp.com', credentials: undefined },
    ],
    ['git+ssh://git@h/a', { url: 'ssh://git@h/a', kind: 'ssh', host: 'h', credentials: undefined }],
    ['git://h/a', { url: 'git://h/a', kind: 'git', host: 'h', credentials: undefined }],
    ['file:///srv/a.git', { url: 'file:///srv/a.git', kind: 'local', host: '/srv/a.git', credentials: undefined }],
    ['.', { url: '.', kind: 'local', host: '.', credentials: undefined }],
  ])('%s', (text, address) => {
    expect(parseGitUrl(text)).toEqual(address);
  });
  it.each(['', '-x', 'ext::sh', 'https://', 'svn://h/a', 'ssh://u:p@h/a', '$(x)\ny'])('refuses %j', (text) => {
    expect(() => parseGitUrl(text)).toThrow('not the address of a git repository');
  });
});

describe('gitEnvironment', () => {
  const address = parseGitUrl('https://h.example/a/b.git');
  it('adds to settings that are there, empties the header first, asks nobody', () => {
    const env = gitEnvironment({ GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'a.b', GIT_CONFIG_VALUE_0: 'c' }, address, 'QUJD');
    expect(env).toMatchObject({
      GIT_CONFIG_COUNT: '5',
      GIT_CONFIG_KEY_0: 'a.b',
      GIT_CONFIG_KEY_2: 'http.https://h.example/.extraHeader',
      GIT_CONFIG_VALUE_2: '',
      GIT_CONFIG_KEY_3: 'http.https://h.example/.extraHeader',
      GIT_CONFIG_VALUE_3: 'Authorization: Basic QUJD',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ALLOW_PROTOCOL: 'http:https:ssh:git:file',
    });
  });
  it("hands Node's CA file to git unless git has one", () => {
    expect(gitEnvironment({ NODE_EXTRA_CA_CERTS: '/ca' }, address, undefined)['GIT_SSL_CAINFO']).toBe('/ca');
    expect(gitEnvironment({ NODE_EXTRA_CA_CERTS: '/ca', GIT_SSL_CAINFO: '/own' }, address, undefined)['GIT_SSL_CAINFO']).toBe('/own');
  });
});

describe('explainGit', () => {
  const failure = { what: 'push', address: parseGitUrl('git@h.example:a/b'), timedOut: false, timeout: 60, authenticated: true };
  it.each([
    ['git@h.example: Permission denied (publickey).', 'GIT_AUTHENTICATION'],
    ['Host key verification failed.', 'GIT_HOST_KEY'],
    ['ssh: Could not resolve hostname h.example: Name or service not known', 'GIT_UNREACHABLE'],
    ['ssh: connect to host h.example port 22: Connection refused', 'GIT_UNREACHABLE'],
    ['ERROR: Repository not found.', 'GIT_REPOSITORY_NOT_FOUND'],
    ['remote: error: GH013: Repository rule violations found for refs/tags/x.', 'GIT_RULESET'],
    ['ERROR: The key you are authenticating with has been marked as read only.', 'GIT_FORBIDDEN'],
    ['fatal: something else', 'GIT_FAILED'],
  ])('%s', (output, code) => {
    expect(explainGit({ ...failure, output }).code).toBe(code);
  });
});
