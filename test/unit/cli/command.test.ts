import { parseOptions, withEnvironment, type Option } from '../../../src/cli/options.ts';
import { command } from '../../../src/cli/main.ts';
import { WORDS } from '../../../src/cli/words.ts';

const OPTIONS: readonly Option[] = [
  { names: ['--service', '-s'], value: 'NAME', input: 'service', help: 'x' },
  { names: ['--force', '-f'], input: 'force', help: 'x' },
  { names: ['--instance', '-i'], value: 'NAME', input: 'instance', repeatable: true, help: 'x' },
  { names: ['--no-verify'], input: 'verify', sets: 'false', help: 'x' },
  { names: ['--warn', '-w'], value: 'PERCENT', help: '', note: 'nothing waits' },
  { names: ['--auto-rollback'], refused: true, help: '', note: 'not here' },
  { names: [], env: 'TOKEN', input: 'token', help: '' },
];

describe('options', () => {
  it.each([
    [['--service', 'web'], { service: 'web' }],
    [['--service=web'], { service: 'web' }],
    [['-s', 'web', '-f'], { service: 'web', force: 'true' }],
    [['-sweb'], { service: 'web' }],
    [['-fs', 'web'], { force: 'true', service: 'web' }],
    [['--service', '-'], { service: '-' }],
    [['--no-verify'], { verify: 'false' }],
    [['-i', 'main', '--instance', 'canary'], { instance: 'main,canary' }],
    [['-s', 'web', '--service', 'web'], { service: 'web' }],
  ])('%j', (words, inputs) => {
    const parsed = parseOptions(words, OPTIONS);
    expect(parsed.problems).toEqual([]);
    expect(parsed.inputs).toEqual(inputs);
  });

  it.each([
    [['--servce', 'web'], "UNKNOWN_OPTION there is no option '--servce' → did you mean --service?"],
    [['--xyzzy'], "UNKNOWN_OPTION there is no option '--xyzzy' → --help lists the options"],
    [['--service'], 'OPTION_WITHOUT_VALUE --service needs a value → write --service NAME'],
    [['--service', '--force'], 'OPTION_WITHOUT_VALUE --service needs a value → write --service NAME'],
    [['--force=yes'], 'OPTION_WITH_VALUE --force takes no value → write --force alone'],
    [['web'], "UNEXPECTED_ARGUMENT unexpected argument 'web' → every value belongs to an option, such as --service NAME"],
    [['-s', 'a', '-s', 'b'], "OPTION_TWICE -s is given twice, with 'a' and 'b' → give it once"],
    [['--auto-rollback'], 'OPTION_REFUSED --auto-rollback is not available here → not here'],
    [['-w', '17'], 'OPTION_WITHOUT_EFFECT -w has no effect: nothing waits → '],
  ])('%j is explained', (words, said) => {
    expect(parseOptions(words, OPTIONS).problems.map(({ code, message, hint }) => `${code} ${message} → ${hint ?? ''}`)).toEqual([said]);
  });

  describe('a word that belongs to no option', () => {
    const withPositional: readonly Option[] = [
      ...OPTIONS,
      {
        names: ['SERVICE.INSTANCES'],
        help: '',
        positional: true,
        splits: (text) => ({ service: text.split('.')[0] ?? '', instance: text.split('.')[1] ?? '' }),
      },
    ];
    it('is read where a word of the command takes one', () => {
      expect(parseOptions(['web.main,canary', '-f'], withPositional)).toMatchObject({
        inputs: { service: 'web', instance: 'main,canary', force: 'true' },
        problems: [],
      });
    });
    it.each([[['web.main', '-s', 'api']], [['-s', 'api', 'web.main']]])('does not go together with what says the same: %j', (words) => {
      expect(parseOptions(words, withPositional).problems.map(({ code }) => code)).toEqual(['OPTION_TWICE']);
    });
  });

  it('fills in the environment, where no option was given', () => {
    expect(withEnvironment({}, OPTIONS, { TOKEN: 'x' })).toEqual({ token: 'x' });
    expect(withEnvironment({ token: 'y' }, OPTIONS, { TOKEN: 'x' })).toEqual({ token: 'y' });
  });
});

describe('paasta', () => {
  async function say(...argv: readonly string[]): Promise<{ code: number | undefined; out: string; err: string }> {
    const [out, err]: [string[], string[]] = [[], []];
    const code = await command({
      argv,
      env: {},
      version: '1.2.3',
      stdout: { write: (text) => out.push(text) },
      stderr: { write: (text) => err.push(text) },
    });
    return { code, out: out.join(''), err: err.join('') };
  }

  it('lists its words', async () => {
    const { code, out } = await say('--help');
    expect(code).toBe(0);
    for (const { name } of WORDS) expect(out).toContain(`  ${name} `);
    expect(await say()).toMatchObject({ code: 1, out: '', err: out });
    expect(await say('--version')).toMatchObject({ code: 0, out: 'paasta-actions 1.2.3\n' });
  });

  it.each(WORDS.map(({ name }) => name))('%s has help that names every option', async (name) => {
    const { code, out } = await say(name, '--help');
    expect(code).toBe(0);
    for (const { names, help } of WORDS.find((word) => word.name === name)?.options ?? [])
      if (help !== '') for (const option of names) expect(out).toContain(option);
    expect(out.split('\n').filter((line) => line.length > 100)).toEqual([]);
    expect(await say('help', name)).toMatchObject({ code: 0, out });
  });

  it('names what was probably meant', async () => {
    const { code, err } = await say('mark-for-deploy');
    expect(code).toBe(1);
    expect(err).toContain("paasta: error: paasta has no word 'mark-for-deploy'\n  next: did you mean 'mark-for-deployment'?");
    expect(err).toMatch(/\n\n'paasta --help' lists the words\.\n$/);
  });

  it('says every mistake of the line and where the help is, exit 1 as PaaSTA', async () => {
    const { code, err } = await say('itest', '--servce', 'x', '--commit');
    expect(code).toBe(1);
    expect(err).toContain("there is no option '--servce'");
    expect(err).toContain('--commit needs a value');
    // the whole help would scroll the mistake away
    expect(err).toMatch(/\n\n'paasta itest --help' lists the options\.\n$/);
  });

  it('has the options of the script in the getting-started guide', () => {
    const has = (word: string, ...names: readonly string[]): void => {
      const known = WORDS.find(({ name }) => name === word)?.options.flatMap((option) => option.names) ?? [];
      expect(names.filter((name) => !known.includes(name))).toEqual([]);
    };
    has('itest', '--service', '-s', '--commit', '-c', '--image-version', '--soa-dir', '-d', '--timeout');
    has('push-to-registry', '--service', '-s', '--commit', '-c', '--image-version', '--soa-dir', '-d', '--force', '-f');
    has(
      'mark-for-deployment',
      '--git-url',
      '-u',
      '--commit',
      '-c',
      '-k',
      '--image-version',
      '-i',
      '--deploy-group',
      '-l',
      '--clusterinstance',
      '--service',
      '-s',
      '--verify-image-exists',
      '--wait-for-deployment',
      '--timeout',
      '-t',
      '--warn',
      '-w',
      '--auto-rollback',
      '--soa-dir',
      '-d',
      '--auto-certify-delay',
      '--auto-abandon-delay',
      '--auto-rollback-delay',
      '--author',
      '--polling-interval',
      '--diagnosis-interval',
      '--time-before-first-diagnosis',
    );
  });
});
