import { UserError, problem } from '../../../src/shared/contract/errors.ts';
import { inRepository, inTrees, placing } from '../../../src/shared/runtime/placing.ts';
import { memoryTree } from '../../support/memory-tree.ts';

const at = (file: string | undefined): ReturnType<typeof problem> => problem('A', 'a', file === undefined ? {} : { file, line: 3 });
const job = { env: { GITHUB_WORKSPACE: '/checkout' }, workingDirectory: '/checkout/sub' };
const terminal = { env: {}, workingDirectory: '/checkout/sub' };

describe('where a problem is', () => {
  it.each([
    [job, '/checkout/soa', 'web/deploy.yaml', 'soa/web/deploy.yaml'],
    [terminal, '/checkout/sub/soa', 'web/deploy.yaml', 'soa/web/deploy.yaml'],
    [job, '/checkout/sub', 'Makefile', 'sub/Makefile'],
    // what is outside of the workspace has no line that GitHub could show
    [job, '/nail/etc/services', 'web/deploy.yaml', 'web/deploy.yaml'],
    [job, '/checkout', '/usr/share/x.mk', '/usr/share/x.mk'],
    [job, '/checkout', undefined, undefined],
  ])('%j %s %s: %s', (place, directory, file, shown) => {
    expect(inRepository(at(file), directory, place)).toEqual(at(shown));
  });

  it('is the first tree that has the file; a tree that refuses to look has it not', async () => {
    const [soa, system] = [
      { ...memoryTree({ 'web/deploy.yaml': '' }), root: '/checkout/soa' },
      { ...memoryTree({ 'a.json': '' }), root: '/checkout/system' },
    ];
    const closed = {
      ...soa,
      read: () => {
        throw new UserError(problem('OUTSIDE', 'x'));
      },
    };
    expect(inTrees(at('a.json'), [soa, system], job).file).toBe('system/a.json');
    expect(inTrees(at('a.json'), [closed, system], job).file).toBe('system/a.json');
    expect(inTrees(at('none'), [soa, system], job).file).toBe('none');
    const thrown = new UserError([at('web/deploy.yaml'), at('a.json')], { exitCode: 7 });
    await expect(
      placing(job, [soa, system], () => {
        throw thrown;
      }),
    ).rejects.toMatchObject({ exitCode: 7, problems: [at('soa/web/deploy.yaml'), at('system/a.json')] });
    await expect(placing(job, [soa], () => 5)).resolves.toBe(5);
    await expect(placing(job, [soa], () => Promise.reject(new TypeError('ours')))).rejects.toThrow(TypeError);
  });
});
