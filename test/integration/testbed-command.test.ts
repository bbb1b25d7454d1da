/** `npm run testbed`: what it prints and how it ends; whose cluster and whose binaries it takes. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KUBERNETES_BINARIES } from '../testbed/parts/kubernetes-build.ts';

const CLI = join(dirname(dirname(fileURLToPath(import.meta.url))), 'testbed', 'cli.ts');

describe('npm run testbed', () => {
  let scratch: string;
  let state: string;
  beforeEach(() => {
    // short: unix sockets lie below it
    scratch = mkdtempSync(join(tmpdir(), 'ptb-'));
    state = join(scratch, 's');
  });
  afterEach(() => {
    rmSync(scratch, { recursive: true, force: true });
  });

  const testbed = (
    argv: readonly string[],
    env: Readonly<Record<string, string | undefined>> = {},
  ): { code: number | null; stdout: string; stderr: string } => {
    const {
      status: code,
      stdout,
      stderr,
    } = spawnSync(process.execPath, [CLI, ...argv], {
      encoding: 'utf8',
      timeout: 600_000,
      env: {
        ...process.env,
        PAASTA_TESTBED_STATE: state,
        PAASTA_TESTBED_CONTEXT: undefined,
        KUBECONFIG: undefined,
        KUBEBUILDER_ASSETS: undefined,
        ...env,
      },
    });
    return { code, stdout, stderr };
  };

  it('starts, finds again, shows and ends a part; the second time there is nothing to do', () => {
    expect(testbed(['status'])).toEqual({ code: 3, stdout: "testbed 'main'\n  nothing is up\n", stderr: '' });
    const first = testbed(['up', '--with', 'git']);
    try {
      expect(first.stderr).toMatch(
        /^testbed: starting git over HTTP 'main' \(the service's repository; usually 1 s\)\n(?:testbed: .*\n)*testbed: testbed 'main' is up after [\d.]+ s; down: npm run testbed -- down --name main\n$/,
      );
      expect(first.stdout).toMatch(/^git over HTTP and the GitHub double: http:\/\/127\.0\.0\.1:\d+ /);
      expect(first.code).toBe(0);
      const second = testbed(['up', '--with', 'git']);
      expect(second.stderr).toContain("git server 'main' is up already: reusing it");
      expect(second.stdout).toBe(first.stdout);
      const status = testbed(['status']);
      expect(status.stdout).toMatch(/^testbed 'main'\n {2}git\n {4}git +pid \d+ +\d+ MiB\n/);
      expect(status.stdout).toContain(first.stdout.trim());
      expect(status.code).toBe(0);
    } finally {
      expect(testbed(['down'])).toMatchObject({ code: 0, stderr: "testbed: git server 'main' is down\n" });
    }
    expect(testbed(['down'])).toMatchObject({ code: 0, stderr: "testbed: testbed 'main' is not there\n" });
    expect(existsSync(state)).toBe(false);
  });

  it('refuses a context that is neither on loopback nor of kind, before anything is started', () => {
    const kubeconfig = join(scratch, 'kubeconfig');
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'c', cluster: { server: 'https://prod.example.com:6443' } }],
        users: [{ name: 'u', user: { token: 't' } }],
        contexts: [{ name: 'prod', context: { cluster: 'c', user: 'u' } }],
      }),
    );
    const run = testbed(['up'], { KUBECONFIG: kubeconfig, PAASTA_TESTBED_CONTEXT: 'prod' });
    expect(run.stderr).toBe(
      "testbed: PAASTA_TESTBED_CONTEXT names 'prod', whose server https://prod.example.com:6443 is neither on loopback nor of kind: refused\n" +
        '  tests create and delete namespaces; name a local cluster, or unset PAASTA_TESTBED_CONTEXT to let the testbed start its own\n',
    );
    expect(run.code).toBe(1);
    expect(existsSync(state)).toBe(false);
    const unknown = testbed(['up'], { KUBECONFIG: kubeconfig, PAASTA_TESTBED_CONTEXT: 'prd' });
    expect(unknown.stderr).toMatch(/^testbed: PAASTA_TESTBED_CONTEXT names 'prd', which kubectl does not find: /);
    expect(unknown.code).toBe(1);
  });

  it('takes the binaries of KUBEBUILDER_ASSETS first', () => {
    const assets = join(scratch, 'assets');
    mkdirSync(assets);
    for (const [name, says] of [
      ...KUBERNETES_BINARIES.map((binary) => [binary, 'Kubernetes'] as const),
      ['etcd', 'etcd Version: 3.5.21'] as const,
    ]) {
      writeFileSync(join(assets, name), `#!/bin/sh\necho '${says}'\n`);
      chmodSync(join(assets, name), 0o755);
    }
    const run = testbed(['doctor'], { KUBEBUILDER_ASSETS: assets });
    expect(run.stdout).toMatch(new RegExp(`^ok {4}Kubernetes \\S+ \\(${assets}\\)$`, 'm'));
    expect(run.stdout).toMatch(new RegExp(`^ok {4}etcd 3\\.5\\.21 \\(${assets}\\): store of the API server$`, 'm'));
    writeFileSync(join(assets, 'etcd'), "#!/bin/sh\necho 'etcd Version: 3.4.23'\n");
    expect(testbed(['doctor'], { KUBEBUILDER_ASSETS: assets, PATH: `${dirname(process.execPath)}:/usr/bin:/bin` }).stdout).not.toContain(
      `(${assets}): store`,
    );
  });
});
