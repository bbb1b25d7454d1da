/** The testbed with real pods: an authenticated pull by digest without a secret in the pod, logs, addresses; nothing left after. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describeWith, root } from '../support/requirements.ts';
import { ensureDocker, startCluster, startRegistry } from '../testbed/index.ts';
import type { Cluster, Docker, Registry } from '../testbed/index.ts';
import { bring } from '../testbed/parts/debian.ts';
import { mounts } from '../testbed/parts/host.ts';
import { clusterDir } from '../testbed/parts/cluster.ts';
import { cgroupName } from '../testbed/parts/places.ts';
import { recorded, recordedNames } from '../testbed/parts/processes.ts';
import { must } from '../testbed/parts/run.ts';

const NAME = `e2e-${process.pid}`;
const DOCKERFILE = `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir /www && echo hello from a pod > /www/index.html
CMD ["/bin/sh", "-c", "trap 'exit 0' TERM; echo serving; httpd -f -p 8080 -h /www & wait $!"]
`;
const log = (line: string): void => {
  process.stderr.write(`testbed: ${line}\n`);
};
const sysctl = (name: string): string => fs.readFileSync(`/proc/sys/${name}`, 'utf8').trim();

describeWith([root()], 'a cluster with real pods', () => {
  let docker: Docker, registry: Registry, cluster: Cluster;
  const context = fs.mkdtempSync(path.join(os.tmpdir(), 'paasta-e2e-testbed-'));
  const before = ['vm/overcommit_memory', 'kernel/panic', 'kernel/panic_on_oops'].map(sysctl);
  beforeAll(async () => {
    docker = await ensureDocker({ name: NAME, log });
    registry = await startRegistry({ name: NAME, log });
    cluster = await startCluster({ name: NAME, size: 'full', registry, log });
  });
  afterAll(async () => {
    await cluster.stop();
    await registry.stop();
    await docker.stop();
    fs.rmSync(context, { recursive: true, force: true });
  });

  it('runs a pod from the authenticated registry by digest; its log and its address are reachable', async () => {
    fs.copyFileSync(path.join(await bring('own', ['busybox-static'], log), 'bin', 'busybox'), path.join(context, 'busybox'));
    fs.writeFileSync(path.join(context, 'Dockerfile'), DOCKERFILE);
    const reference = `${registry.host}/team/web:1`,
      metadata = path.join(context, 'metadata.json');
    await must([docker.dockerPath, 'build', '--quiet', '--push', '--metadata-file', metadata, '--tag', reference, context], {
      env: { ...docker.env, DOCKER_CONFIG: registry.dockerConfigDir },
    });
    const digest = (JSON.parse(fs.readFileSync(metadata, 'utf8')) as Record<string, string>)['containerimage.digest'] ?? '';
    // a registry that lets everybody in would prove nothing about the node's credential
    expect((await fetch(`http://${registry.host}/v2/`)).status).toBe(401);
    await cluster.must(['apply', '-f', '-'], {
      input: JSON.stringify({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: {
          selector: { matchLabels: { app: 'web' } },
          template: {
            metadata: { labels: { app: 'web' } },
            spec: {
              terminationGracePeriodSeconds: 2,
              containers: [
                { name: 'main', image: `${reference}@${digest}`, readinessProbe: { httpGet: { port: 8080, path: '/' }, periodSeconds: 1 } },
              ],
            },
          },
        },
      }),
    });
    await cluster.must(['rollout', 'status', 'deploy/web', '--timeout=60s']);
    const [imageId = '', ip = ''] = (
      await cluster.must([
        'get',
        'pod',
        '-l',
        'app=web',
        '-o',
        'jsonpath={.items[0].status.containerStatuses[0].imageID} {.items[0].status.podIP}',
      ])
    ).split(' ');
    expect(imageId).toBe(`${registry.host}/team/web@${digest}`);
    expect(await cluster.must(['logs', 'deploy/web'])).toBe('serving');
    expect((await (await fetch(`http://${ip}:8080/`)).text()).trim()).toBe('hello from a pod');
  });

  it('taken down while pods run, it leaves no process, mount, bridge, cgroup or kernel setting', async () => {
    const dir = clusterDir(NAME),
      pids = recordedNames(dir).map((n) => recorded(dir, n)),
      { bridge } = JSON.parse(fs.readFileSync(path.join(dir, 'cluster.json'), 'utf8')) as { bridge: string };
    expect(pids.length).toBeGreaterThan(5);
    const shims = (): string[] =>
      fs
        .readdirSync('/proc')
        .filter((p) => /^\d+$/.test(p))
        .filter((p) => {
          try {
            return fs.readFileSync(`/proc/${p}/cmdline`, 'utf8').includes(dir);
          } catch {
            return false;
          }
        });
    expect(shims().length).toBeGreaterThan(5);
    await cluster.stop();
    expect(shims()).toEqual([]);
    expect(mounts().filter((m) => m.at.startsWith(dir))).toEqual([]);
    expect(fs.existsSync(`/sys/class/net/${bridge}`)).toBe(false);
    expect(
      mounts()
        .filter((m) => m.type.startsWith('cgroup'))
        .map((m) => path.join(m.at, cgroupName(NAME)))
        .filter((d) => fs.existsSync(d)),
    ).toEqual([]);
    expect(fs.existsSync(dir)).toBe(false);
    // another cluster with real pods on this machine keeps the settings for itself
    const others = fs.readdirSync('/sys/class/net').some((n) => n.startsWith('ptb'));
    if (!others) expect(['vm/overcommit_memory', 'kernel/panic', 'kernel/panic_on_oops'].map(sysctl)).toEqual(before);
  });
});
