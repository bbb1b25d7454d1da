import { execFileSync } from 'node:child_process';
import { layout, apiServerCommand, containerdConfig } from '../../testbed/parts/control-plane.ts';
import { sourcesFor } from '../../testbed/parts/debian.ts';
import { imageArchive, tar } from '../../testbed/parts/image-archive.ts';
import { kubernetesVersion, linkerFlags, wantedVersion } from '../../testbed/parts/kubernetes-build.ts';
import { checkName } from '../../testbed/parts/places.ts';
import { atLeast } from '../../testbed/parts/programs.ts';

describe('versions', () => {
  it.each([
    ['3.5.16', '3.5.13', true],
    ['3.4.23', '3.5.13', false],
    ['1.26.8', '1.26', true],
    ['1.9', '1.26', false],
    ['3.0.19', '3.0', true],
    ['', '1', false],
    ['26.1.5+dfsg1', '24', true],
  ])('%s is at least %s: %s', (version, least, wanted) => {
    expect(atLeast(version, least)).toBe(wanted);
  });

  it('reads the version of Kubernetes from go.mod, the direct requirement only', () => {
    expect(kubernetesVersion('module x\n\nrequire k8s.io/kubernetes v1.36.3\n\nreplace k8s.io/api => k8s.io/api v0.36.3\n')).toBe('1.36.3');
    expect(kubernetesVersion('require (\n\tk8s.io/kubernetes v1.36.4\n)\n')).toBe('1.36.4');
    expect(() => kubernetesVersion('module x\n')).toThrow(/requires no k8s.io\/kubernetes/);
    expect(wantedVersion()).toMatch(/^1\.\d+\.\d+$/);
    expect(linkerFlags('1.36.3')).toContain('-X k8s.io/component-base/version.gitMinor=36');
  });
});

describe('apt sources of another suite', () => {
  const modern =
    'Types: deb\nURIs: http://mirror.invalid/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\nTypes: deb\nURIs: http://mirror.invalid/debian-security\nSuites: bookworm-security\n';
  it('trixie: the same hosts, the suite renamed', () => {
    expect(sourcesFor(modern, 'bookworm', 'trixie', 'deb822')).toContain('Suites: trixie trixie-updates');
    expect(sourcesFor('deb http://mirror.invalid/debian bookworm main\n', 'bookworm', 'trixie', 'list')).toBe(
      'deb http://mirror.invalid/debian trixie main\n',
    );
  });
  it('sid: neither updates nor security, which it does not have', () => {
    const text = sourcesFor(modern, 'bookworm', 'sid', 'deb822');
    expect(text).toContain('Suites: sid\n');
    expect(text).not.toMatch(/security|updates/);
  });
});

describe('names', () => {
  it.each(['', '../x', 'A', 'docker', 'locks', 'a'.repeat(22), '-a'])('refuses %j', (name) => {
    expect(() => checkName(name)).toThrow(/testbed name/);
  });
});

describe('the image archive', () => {
  it('is a tar that tar can read, the same bytes each time', () => {
    const files = [{ name: 'pause', content: Buffer.from('x'.repeat(700)), mode: 0o755 }];
    const listed = execFileSync('tar', ['-tvf', '-'], { input: tar(files), encoding: 'utf8' });
    expect(listed).toMatch(/^-rwxr-xr-x 0\/0 +700 .* pause\n$/);
    const image = { reference: 'localhost/pause:1', architecture: 'amd64', entrypoint: ['/pause'] };
    expect(imageArchive(files, image).equals(imageArchive(files, image))).toBe(true);
  });
});

describe('command lines', () => {
  const at = layout('/s/x');
  it('the API server listens on loopback only, with RBAC and an audit log', () => {
    const bin = { 'kube-apiserver': 'a', 'kube-controller-manager': 'b', 'kube-scheduler': 'c', kubelet: 'd', kubectl: 'e' };
    const argv = apiServerCommand(bin, at, { etcd: 1, peer: 2, api: 3, kubeletHealth: 4 }, ['--x=y']);
    expect(argv).toEqual(
      expect.arrayContaining(['--bind-address=127.0.0.1', '--authorization-mode=Node,RBAC', '--audit-log-path=/s/x/audit.log', '--x=y']),
    );
  });
  it('containerd keeps everything below the state directory', () => {
    const toml = containerdConfig(at, { runc: '/r/runc', cniBin: '/c', pauseImage: 'p' });
    expect([...toml.matchAll(/= "(\/[^"]*)"/g)].map((m) => m[1]).filter((p) => !p?.startsWith('/s/x/'))).toEqual(['/r/runc', '/c']);
  });
});
