/** A cluster with a kubelet whose pods serve HTTP: busybox's httpd in two versions of one image, and a soa-configs tree to write into. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureDocker, startCluster, startRegistry, type Cluster } from '../testbed/index.ts';
import { bring } from '../testbed/parts/debian.ts';
import { must } from '../testbed/parts/run.ts';
import { createScene, sha, type Scene } from './deploy-scene.ts';

/** Serves `/` on the port that registrations reach, and what `cgi` has at `/cgi-bin/`; ends at once when told to. */
const DOCKERFILE = `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /www /tmp && chmod 1777 /tmp && echo hello > /www/index.html
COPY cgi/ /www/cgi-bin/
RUN chmod -R 755 /www/cgi-bin
CMD ["/bin/sh", "-c", "trap 'exit 0' TERM; httpd -f -p 8888 -h /www & wait $!"]
`;

export interface ServingScene {
  readonly cluster: Cluster;
  readonly scene: Scene;
  stop(): Promise<void>;
}

/** Settings of an instance whose pods serve within a second or two. */
export const serving = (count: number, drainSeconds: number, more: string): string =>
  `{cpus: 0.02, mem: 32, disk: 32, instances: ${count}, deploy_group: prod, healthcheck_mode: http, healthcheck_uri: /, healthcheck_grace_period_seconds: 1, healthcheck_interval_seconds: 1, lifecycle: {pre_stop_drain_seconds: ${drainSeconds}}, ${more}}`;

/** Service `web`, whose versions `a` and `b` are in the registry; `a` is marked. `cgi`: name to script. */
export async function startServing(name: string, cgi: Readonly<Record<string, string>> = {}): Promise<ServingScene> {
  const log = (line: string): void => {
    process.stderr.write(`testbed: ${line}\n`);
  };
  const ends: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.reverse()) await end();
  };
  try {
    const docker = await ensureDocker({ name, log });
    ends.push(() => docker.stop());
    const registry = await startRegistry({ name, log });
    ends.push(() => registry.stop());
    const cluster = await startCluster({ name, size: 'full', registry, log });
    ends.push(() => cluster.stop());
    await cluster.must(['label', 'nodes', '--all', '--overwrite', 'yelp.com/pool=default']);
    const context = mkdtempSync(join(tmpdir(), 'paasta-serving-'));
    ends.push(async () => rmSync(context, { recursive: true, force: true }));
    copyFileSync(join(await bring('own', ['busybox-static'], log), 'bin', 'busybox'), join(context, 'busybox'));
    mkdirSync(join(context, 'cgi'));
    for (const [script, text] of Object.entries(cgi)) writeFileSync(join(context, 'cgi', script), text);
    writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
    const tags = ['a', 'b'].flatMap((digit) => ['--tag', `${registry.host}/team/services-web:paasta-${sha(digit)}`]);
    await must([docker.dockerPath, 'build', '--quiet', '--push', ...tags, context], {
      env: { ...docker.env, DOCKER_CONFIG: registry.dockerConfigDir },
    });
    const scene = createScene(cluster);
    ends.push(async () => scene.remove());
    scene.system({ docker_registry: `${registry.host}/team` });
    scene.mark('web', { prod: sha('a') });
    return { cluster, scene, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
