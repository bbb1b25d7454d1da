import { UserError } from '../../../src/shared/contract/errors.ts';
import * as inputs from '../../../src/shared/runtime/inputs.ts';
import {
  gitUrl,
  oneRepository,
  REGISTRY_LOGIN_INPUTS,
  repository,
  urlNeedsService,
  wholeRegistryLogin,
} from '../../../src/shared/runtime/repository-inputs.ts';

function source(
  given: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): inputs.InputSource & { readonly masked: readonly string[] } {
  const masked: string[] = [];
  return { input: (name) => (given[name] ?? '').trim(), env, mask: (secret) => masked.push(secret), masked };
}

function problems(body: () => unknown): readonly string[] {
  try {
    body();
  } catch (error) {
    if (error instanceof UserError) return error.problems.map(({ code, message, hint }) => `${code} ${message} → ${hint ?? ''}`);
    throw error;
  }
  return [];
}

const SHA = 'a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2';

describe('readInputs', () => {
  const SPEC = {
    service: inputs.service({ required: true }),
    commit: inputs.commit(),
    'image-version': inputs.imageVersion(),
    'deploy-group': inputs.deployGroup(),
    instance: inputs.instances(),
    timeout: inputs.duration({ default: '60m', min: 1_000 }),
    retries: inputs.integer({ default: '3', min: 0, max: 10 }),
    target: inputs.choice({ of: ['itest', 'test', 'cook-image'], default: 'itest' }),
    'dry-run': inputs.flag(),
    verify: inputs.flag({ default: 'true' }),
    'soa-dir': inputs.TREE_INPUTS['soa-dir'],
    'github-token': inputs.secret({ env: 'GITHUB_TOKEN' }),
  };

  it('gives the defaults, frozen', () => {
    const read = inputs.readInputs(source({ service: 'web' }), SPEC);
    expect(read).toEqual({
      service: 'web',
      commit: undefined,
      imageVersion: null,
      deployGroup: undefined,
      instance: [],
      timeout: 3_600_000,
      retries: 3,
      target: 'itest',
      dryRun: false,
      verify: true,
      soaDir: '/nail/etc/services',
      githubToken: '',
    });
    expect(Object.isFrozen(read)).toBe(true);
  });

  it('reads what is given', () => {
    const read = inputs.readInputs(
      source(
        {
          service: 'services-web/',
          commit: SHA.toUpperCase(),
          'image-version': '20240102T030405',
          instance: 'main, canary\nmain',
          timeout: '1h30m',
          retries: '0',
          target: 'cook-image',
          'dry-run': 'True',
          verify: 'FALSE',
          'soa-dir': 'x',
        },
        { PAASTA_SOA_DIR: '/soa' },
      ),
      SPEC,
    );
    expect(read).toMatchObject({
      service: 'web',
      commit: SHA,
      imageVersion: '20240102T030405',
      instance: ['main', 'canary'],
      timeout: 5_400_000,
      retries: 0,
      target: 'cook-image',
      dryRun: true,
      verify: false,
      soaDir: 'x',
    });
  });

  it('takes a bare number as seconds and directories from the environment', () => {
    expect(inputs.readInputs(source({ service: 'web', timeout: '90' }, { PAASTA_SOA_DIR: '/soa' }), SPEC)).toMatchObject({
      timeout: 90_000,
      soaDir: '/soa',
    });
  });

  it('masks a secret before anything else, from the input and from the environment', () => {
    const given = source({ 'github-token': 'given-token', service: 'BAD NAME' });
    expect(problems(() => inputs.readInputs(given, SPEC))).toHaveLength(1);
    expect(given.masked).toEqual(['given-token']);
    const ambient = source({ service: 'web' }, { GITHUB_TOKEN: 'ambient-token' });
    expect(inputs.readInputs(ambient, SPEC).githubToken).toBe('ambient-token');
    expect(ambient.masked).toEqual(['ambient-token']);
  });

  it('reports every problem at once, with the legal values', () => {
    const found = problems(() =>
      inputs.readInputs(
        source({
          commit: 'abc',
          timeout: 'soon',
          retries: '11',
          target: 'tset',
          'dry-run': 'yes',
          'deploy-group': 'a+b',
          instance: 'ok,../x',
        }),
        SPEC,
      ),
    );
    expect(found).toEqual([
      "INPUT_REQUIRED service: this input is required → set 'service'",
      expect.stringMatching(/^BAD_COMMIT commit: 'abc' is not a full commit id/) as string,
      expect.stringMatching(/^BAD_DEPLOY_GROUP deploy-group: 'a\+b'/) as string,
      expect.stringMatching(/^BAD_INSTANCE_NAME instance: '\.\.\/x'/) as string,
      expect.stringMatching(/^BAD_DURATION timeout: 'soon' is not a duration → write it as 90s, 10m/) as string,
      "BAD_INPUT retries: '11' is not a whole number from 0 to 10 → write a whole number from 0 to 10",
      "BAD_INPUT target: 'tset' is not known → did you mean 'test' or 'itest'? legal values: itest, test, cook-image",
      "BAD_INPUT dry-run: 'yes' is neither true nor false → write 'true' or 'false'",
    ]);
  });

  it.each(['$(id)', 'a\nb', '../x', 'a b', 'web;rm', '-x', 'Web', 'a/b'])('refuses the service %j', (name) => {
    expect(problems(() => inputs.readInputs(source({ service: name }), SPEC))[0]).toMatch(/^BAD_SERVICE_NAME/);
  });

  it('does not print control characters of a bad value', () => {
    expect(problems(() => inputs.readInputs(source({ service: 'a\n::set-output name=x::y' }), SPEC)).join('')).not.toContain('\n');
  });

  it('refuses a misspelled input, which would silently be its default', () => {
    expect(
      problems(() =>
        inputs.readInputs(
          source({ service: 'web' }, { INPUT_TIMOUT: '5m', 'INPUT_SOMETHING-ELSE-ENTIRELY': 'x', 'INPUT_DRY-RUN': 'true' }),
          SPEC,
        ),
      ),
    ).toEqual(["UNKNOWN_INPUT timout: there is no such input → did you mean 'timeout'?"]);
  });

  it('asks rules between inputs only when each could be read', () => {
    const rule: inputs.CrossRule<typeof SPEC> = ({ dryRun, verify }) =>
      dryRun && verify ? { severity: 'error', code: 'X', message: 'both' } : undefined;
    expect(problems(() => inputs.readInputs(source({ service: 'web', 'dry-run': 'true' }), SPEC, [rule]))).toEqual(['X both → ']);
    expect(problems(() => inputs.readInputs(source({ service: 'web', 'dry-run': 'true', retries: 'x' }), SPEC, [rule]))).toHaveLength(1);
  });

  it.each([
    ['https://api.example.com/', 'https://api.example.com'],
    ['http://127.0.0.1:80/api/v3', 'http://127.0.0.1:80/api/v3'],
  ])('reads the address %s', (given, read) => {
    expect(inputs.readInputs(source({ u: given }), { u: inputs.url() }).u).toBe(read);
  });

  it.each(['ftp://x', 'api.example.com', 'https://user:secret@x'])('refuses the address %s', (given) => {
    const found = problems(() => inputs.readInputs(source({ u: given }), { u: inputs.url() }));
    expect(found).toHaveLength(1);
    expect(found.join('')).not.toContain('secret');
  });
});

describe('inputs about repositories', () => {
  const SPEC = { 'git-url': gitUrl(), repository: repository(), service: inputs.service(), ...REGISTRY_LOGIN_INPUTS };
  const read = (given: Readonly<Record<string, string>>): readonly string[] =>
    problems(() => inputs.readInputs(source(given), SPEC, [oneRepository('to mark in'), urlNeedsService, wholeRegistryLogin]));

  it.each([
    'https://h/o/n.git',
    'http://h/n',
    'ssh://git@h/o/n',
    'git+ssh://h/n',
    'git://h/n',
    'file:///x',
    'git@h:o/n.git',
    'h:o/n',
    './n.git',
    '/srv/n.git',
    '../n',
    'C:/n',
    'https://u:p@h/n',
  ])('%s is a git address', (url) => {
    expect(read({ 'git-url': url, service: 'web' })).toEqual([]);
  });

  it.each(['ext::sh -c id', 'ext::x', '--upload-pack=x', '-x', 'a b', 'a\nb', 'svn://h/n', 'javascript://h', 'ssh://-oProxyCommand=x/n'])(
    '%j is none',
    (url) => {
      expect(read({ 'git-url': url, service: 'web' })).toEqual([expect.stringContaining('is not a git address → write https://')]);
    },
  );

  it('never says a password', () => {
    expect(read({ 'git-url': 'svn://user:hunter2@h/n', service: 'web' }).join('')).toContain(
      "git-url: 'svn://***@h/n' is not a git address",
    );
  });

  it.each<[Readonly<Record<string, string>>, string]>([
    [{ repository: 'acme' }, "BAD_INPUT repository: 'acme' is not a repository → write owner/name"],
    [{ repository: 'acme/..' }, "BAD_INPUT repository: 'acme/..' is not a repository → write owner/name"],
    [
      { repository: 'a/b', 'git-url': './x', service: 'web' },
      'BAD_INPUT git-url and repository both name the repository to mark in → give one of them',
    ],
    [{ 'git-url': './x' }, "BAD_INPUT git-url is the repository of one service, but no service is given → give 'service', too"],
    [{ 'registry-password': 'x' }, 'BAD_INPUT registry-username is missing beside registry-password → give both or none'],
    [{ 'registry-username': 'x' }, 'BAD_INPUT registry-password is missing beside registry-username → give both or none'],
  ])('%j', (given, message) => {
    expect(read(given)).toEqual([message]);
  });
});
