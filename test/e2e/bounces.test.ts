/** The four bounce methods with real pods under load: what is lost, what serves, how many versions at once; and what the plan had said. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { underLoad } from '../support/bounce.ts';
import type { LoadResult } from '../support/load.ts';
import { describeWith, root } from '../support/requirements.ts';
import { observeService, runDeploy, type Observer, type Run } from '../support/rollout-scene.ts';
import { filesOf, startWorld, type World } from '../support/world.ts';

const NAMESPACE = 'paastasvc-hello';
const METHODS = ['crossover', 'upthendown', 'downthenup', 'brutal'] as const;
/** As crossover, but nothing waits before the end of a pod: what a bounce loses when nobody cares. */
const CONTROL = 'hasty';
const INSTANCES = [...METHODS, CONTROL] as const;
type Method = (typeof INSTANCES)[number];

describeWith([root()], 'bounces with real pods under load', () => {
  let world: World;
  const versions: string[] = [];

  beforeAll(async () => {
    world = await startWorld({
      name: `bounce-${process.pid}`,
      size: 'full',
      log: (line) => {
        process.stderr.write(`${line}\n`);
      },
    });
    const file = join(world.soaDir, 'hello', 'kubernetes-prod.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^main:[\s\S]*$/m, ''));
    for (const method of INSTANCES) {
      const own =
        method === CONTROL ? ['  bounce_method: crossover', '  lifecycle: {pre_stop_drain_seconds: 0}'] : [`  bounce_method: ${method}`];
      appendFileSync(
        file,
        [
          `${method}:`,
          '  <<: *web',
          // a share of the machine with which 300 requests a second are answered also while others work on it
          '  cpus: 0.1',
          `  registrations: [hello.${method}]`,
          '  deploy_group: prod.main',
          '  instances: 3',
          ...own,
          '  bounce_margin_factor: 1',
          '',
        ].join('\n'),
      );
      appendFileSync(
        join(world.soaDir, 'hello', 'smartstack.yaml'),
        `${method}:\n  proxy_port: 2${String(INSTANCES.indexOf(method)).padStart(4, '0')}\n  mode: http\n  healthcheck_uri: /status\n`,
      );
    }
    for (const text of ['first\n', 'second\n']) {
      const sha = await world.commit({ NOTES: text }, `The ${text}`);
      versions.push(sha);
      for (const action of ['itest', 'push-to-registry']) {
        const run = await world.action(action, { service: 'hello', commit: sha });
        if (run.code !== 0) throw new Error(run.text);
      }
    }
  });
  afterAll(async () => {
    await (world as World | undefined)?.stop();
  });

  const deploy = (method: Method, version: string, mode: 'plan' | 'apply' = 'apply'): Promise<Run> =>
    runDeploy(world.cluster, {
      files: filesOf(world.soaDir),
      version,
      system: { clusters: ['dev', 'prod'], docker_registry: `${world.registry.host}/team` },
      request: { selection: { cluster: 'prod', service: 'hello', instances: [method], deployGroup: undefined }, mode, timeout: 240_000 },
    });

  /** A bounce to the second version: what the plan says, what the load and the API server saw. */
  async function bounce(
    method: Method,
    requests: number,
  ): Promise<{ readonly planned: NonNullable<Run['result']>; readonly load: LoadResult; readonly seen: Observer }> {
    const [first = '', second = ''] = versions;
    expect((await deploy(method, first)).result?.instances).toMatchObject([{ state: 'deployed', ready: 3 }]);
    const planned = (await deploy(method, second, 'plan')).result as NonNullable<Run['result']>;
    const seen = await observeService(world.cluster, `hello---${method}`, 'hello', method);
    try {
      const { load } = await underLoad(
        world,
        { namespace: NAMESPACE, service: `hello---${method}`, endpoints: 3, rate: 300, requests, around: 2_000 },
        async () => {
          seen.begin();
          const run = await deploy(method, second);
          // A warning of a bounce that went well would be noise: old pods on their way out are none.
          expect(run.result?.instances).toMatchObject([{ state: 'deployed', ready: 3, diagnosis: undefined }]);
          const problems = (run.result?.instances[0]?.problems ?? []).filter(
            ({ code }) => method !== CONTROL || code !== 'DRAIN_TOO_SHORT',
          );
          expect(problems).toEqual([]);
        },
      );
      process.stderr.write(
        `${method}: ${load.lost} of ${load.sent} requests lost, fewest serving ${seen.fewest()}, most pods ${seen.mostPods()}, versions at once ${seen.mostVersions()}; the client stood still for ${load.stalled} ms at most\n`,
      );
      return { planned, load, seen };
    } finally {
      await seen.stop();
      expect((await deploy(method, second)).writes).toBe(0);
    }
  }

  it('crossover and upthendown lose nothing and never serve with fewer than the plan says', async () => {
    for (const method of ['upthendown', 'crossover'] as const) {
      const { planned, load, seen } = await bounce(method, 5_000);
      const effect = planned.plan?.instances[0]?.effect;
      expect([method, load.lost, load.reasons]).toEqual([method, 0, {}]);
      expect([method, effect?.surge, effect?.minimumServing]).toEqual([method, 3, 3]);
      expect([method, seen.fewest()]).toEqual([method, 3]);
      // In a native rollout the controller ends pods first; where we end them, they have left before.
      if (method === 'upthendown') expect(seen.endedInTraffic()).toEqual([]);
      expect(seen.mostPods()).toBe(6);
      expect(seen.mostVersions()).toBe(2);
      expect(Object.keys(load.answers).filter((answer) => versions.some((version) => answer.includes(version)))).toHaveLength(2);
    }
  });

  it('the control run, a crossover without a drain, loses requests: the load would see it', async () => {
    const { load, seen } = await bounce(CONTROL, 2_000);
    expect(load.lost).toBeGreaterThan(0);
    expect(seen.fewest()).toBe(3);
  });

  it('downthenup never serves two versions at once; brutal converges', async () => {
    const down = await bounce('downthenup', 1_000);
    expect([down.seen.mostVersions(), down.seen.mostPods(), down.planned.plan?.instances[0]?.effect]).toMatchObject([
      1,
      3,
      { surge: 0, minimumServing: 0 },
    ]);
    const brutal = await bounce('brutal', 1_000);
    expect(brutal.planned.plan?.instances[0]?.effect.minimumServing).toBe(0);
  });
});
