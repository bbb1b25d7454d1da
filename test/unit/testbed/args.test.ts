import { readArguments } from '../../testbed/args.ts';

describe("the testbed's command line", () => {
  it.each([
    [['up'], { command: 'up', name: 'main', size: 'control-plane', parts: ['registry', 'kubernetes'], fakeNodes: 1, all: false }],
    [['up', '--size', 'full'], { size: 'full', parts: ['docker', 'registry', 'kubernetes'] }],
    [['up', '--with', 'git, registry', '--name', 'x-1', '--fake-nodes', '3'], { parts: ['git', 'registry'], name: 'x-1', fakeNodes: 3 }],
    [['down', '--all'], { command: 'down', all: true }],
  ])('%j', (argv, wanted) => {
    expect(readArguments(argv)).toMatchObject(wanted);
  });

  it('reports all problems together, each with the legal words', () => {
    expect(readArguments(['upp', '--size', 'fulll', '--name', 'A b', '--with', 'dokcer', '--fake-nodes', 'two'])).toEqual({
      problems: [
        "unknown command 'upp'; known: up, down, status, doctor, bring",
        "--size 'fulll'; known: control-plane, full",
        "--name 'A b': lower case letters, digits and dashes, at most 21",
        "--fake-nodes 'two': a number",
        "--with 'dokcer'; known: docker, registry, git, kubernetes",
      ],
    });
  });

  it.each([
    [['up', '--nmae', 'x'], /--nmae/],
    [[], /no command/],
    [['up', 'down'], /too many words: down/],
  ])('refuses %j', (argv, text) => {
    const read = readArguments(argv);
    expect('problems' in read ? read.problems.join() : '').toMatch(text);
  });

  it('refuses a name that would leave the state directory', () => {
    // a name becomes a path, a cgroup and a kind cluster: `down` removes what it names
    expect(readArguments(['down', '--name', '../x'])).toHaveProperty('problems');
  });
});
