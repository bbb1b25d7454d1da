import type { KubeObject } from '../../../src/shared/objects/types.ts';
import { podsOf, readyDeployment } from './fake-cluster.ts';
import { A, B, FILES, instance, kubeSystem, refusal, world } from './world.ts';

describe('converge', () => {
  it('writes namespaces first, proves what it wrote, and writes nothing the second time', async () => {
    const w = world();
    const first = await w.run(A);
    expect(first.instances).toMatchObject([{ state: 'deployed', action: 'create', ready: 2, wanted: 2 }]);
    expect(w.cluster.written[0]).toBe('Namespace paastasvc-web');
    expect(w.cluster.written.at(-1)).toBe('Deployment web-main');
    expect(w.cluster.objects.get('ConfigMap/paasta/paasta-cluster')?.['data']).toEqual({ cluster: 'lab', identity: 'the-uid' });
    w.cluster.written.length = 0;
    const second = await w.run(A);
    expect(second.instances).toMatchObject([{ state: 'unchanged', action: 'unchanged' }]);
    expect(w.cluster.written).toEqual([]);
  });

  it('plans without writing', async () => {
    const w = world();
    const result = await w.run(A, { mode: 'plan' });
    expect(result.instances).toMatchObject([{ state: 'planned', action: 'create' }]);
    expect(w.cluster.written).toEqual([]);
  });

  it('tells how it goes in one group of the job log, after the plan; no group where nothing happens', async () => {
    const w = world({ ...FILES, 'web/kubernetes-lab.yaml': `main: ${instance}\nother: ${instance}\n` });
    await w.run(A, {
      onPlan: () => {
        w.log.lines.push('the plan');
      },
    });
    const at = (line: string | RegExp): number => w.log.lines.findIndex((l) => (typeof line === 'string' ? l === line : line.test(l)));
    expect(
      [at('the plan'), at('group progress: 2 instances of 2 to change'), at(/^info web\.main: 2\/2 ready/)].map(
        (n, i, all) => n >= 0 && (i === 0 || n > (all[i - 1] ?? n)),
      ),
    ).toEqual([true, true, true]);
    w.log.lines.length = 0;
    await w.run(A);
    await w.run(A, { mode: 'plan' });
    expect(w.log.lines.filter((l) => l.startsWith('group'))).toEqual([]);
    await w.run(A, { mode: 'wait' });
    expect(w.log.lines.filter((l) => l.startsWith('group'))).toEqual(['group waiting for 2 instances']);
  });

  it('sets the count of an autoscaled instance that starts after everything else: no pod of the version before is made', async () => {
    const scaled = '{cpus: 0.1, mem: 64, min_instances: 2, max_instances: 4, deploy_group: prod, cmd: serve}';
    const w = world({ ...FILES, 'web/kubernetes-lab.yaml': `main: ${scaled}\n` });
    const seen: string[] = [];
    const image = (o: KubeObject): string => /paasta-(.)/.exec(JSON.stringify(o.spec?.['template'] ?? ''))?.[1] ?? '';
    const ready = w.cluster.onApply;
    w.cluster.onApply = (object) => {
      if (object.kind === 'Deployment') seen.push(`${String(object.spec?.['replicas'])} of ${image(object)}`);
      ready(object);
    };
    expect((await w.run(A)).instances).toMatchObject([{ state: 'deployed' }]);
    w.control = { desiredState: 'stop', forceBounce: null };
    await w.run(A, { timeout: 1_000 });
    expect(w.cluster.objects.get('Deployment/paastasvc-web/web-main')?.spec?.['replicas']).toBe(0);
    seen.length = 0;
    w.control = { desiredState: 'start', forceBounce: null };
    await w.run(B, { timeout: 5_000 });
    expect(seen).toEqual(['0 of b', '2 of b']);
  });

  it('waits in mode wait for a bounce that another run makes, and writes nothing', async () => {
    const w = world();
    await w.run(A);
    w.cluster.written.length = 0;
    const waiting = w.run(B, { mode: 'wait' });
    setTimeout(() => void w.run(B), 150);
    const result = await waiting;
    expect(w.log.lines).toContain('info web.main: 0/2 ready, waiting for the bounce to begin (version aaaaaaaa is there)');
    expect(result.instances).toMatchObject([{ state: 'unchanged' }]);
  });

  it('ends as superseded, not as failed, when a newer version takes the place', async () => {
    const w = world();
    w.cluster.onApply = (object) => {
      if (object.kind !== 'Deployment') return;
      const newer = structuredClone(object);
      (newer.metadata.labels as Record<string, string>)['paasta.yelp.com/git_sha'] = B;
      newer.metadata.generation = 9;
      w.cluster.tell(readyDeployment(newer));
    };
    const result = await w.run(A);
    expect(result.instances).toMatchObject([{ state: 'superseded', supersededBy: 'version bbbbbbbb' }]);
  });

  it('an answer that comes after the watch has told more does not take it back', async () => {
    const w = world();
    const { apply, onApply } = w.cluster;
    w.cluster.onApply = () => undefined;
    const pause = (): Promise<void> =>
      new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    w.cluster.apply = async (object, options) => {
      const answer = await apply(object, options);
      if (object.kind !== 'Deployment' || answer.outcome !== 'applied') return answer;
      // The controller is done before the answer is read: nothing is told about it any more.
      await pause();
      onApply(answer.object);
      await pause();
      return answer;
    };
    expect((await w.run(A)).instances).toMatchObject([{ state: 'deployed', ready: 2 }]);
  });

  it('says what it waited for when the time is over', async () => {
    const w = world();
    w.cluster.onApply = () => undefined;
    const result = await w.run(A, { timeout: 300 });
    expect(result.instances).toMatchObject([
      {
        state: 'timeout',
        diagnosis: { code: 'TIMEOUT', cause: expect.stringContaining('not done after 300 ms: still waiting for') as string },
      },
    ]);
  });

  it('reports what was reached when it is cancelled', async () => {
    const w = world();
    w.cluster.onApply = () => {
      w.abort.abort();
    };
    const result = await w.run(A);
    expect(result.cancelled).toBe(true);
    expect(result.instances).toMatchObject([{ state: 'cancelled' }]);
  });

  it('a broken instance and a refused kind hold back no other instance', async () => {
    const w = world({ ...FILES, 'web/kubernetes-lab.yaml': `main: ${instance}\nbroken: {cpus: lots, deploy_group: prod}\n` });
    w.cluster.refused.set('patch PodDisruptionBudget', refusal(403, 'may not patch poddisruptionbudgets'));
    const result = await w.run(A);
    expect(result.instances.map((i) => [i.instance, i.state])).toEqual([
      ['broken', 'failed'],
      ['main', 'deployed'],
    ]);
    expect(result.instances[0]?.problems[0]).toMatchObject({ file: 'web/kubernetes-lab.yaml', line: 2 });
    expect(result.instances[1]?.problems).toMatchObject([{ code: 'CLUSTER_FORBIDDEN' }]);
  });

  it('says so when pods may not be read, instead of waiting for them', async () => {
    const w = world();
    w.cluster.refused.set('list Pod', refusal(403, 'may not list pods'));
    const result = await w.run(A);
    expect(result.instances).toMatchObject([{ state: 'failed', problems: [{ message: 'may not list pods' }] }]);
    expect(w.cluster.written).toContain('Deployment web-main');
  });

  it('refuses a cluster by its identity and by its record, before anything is written', async () => {
    const byIdentity = world(FILES, [kubeSystem], { kube_clusters: { lab: { identity: 'another' } } });
    await expect(byIdentity.run(A)).rejects.toThrow("is not cluster 'lab': its identity is the-uid, expected another");
    const record: KubeObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'paasta-cluster', namespace: 'paasta' },
      data: { cluster: 'west' },
    };
    const byRecord = world(FILES, [kubeSystem, record]);
    await expect(byRecord.run(A)).rejects.toThrow("is cluster 'west', not 'lab'");
    expect([...byIdentity.cluster.written, ...byRecord.cluster.written]).toEqual([]);
  });

  it('asks the registry once for a new version and not at all for an unchanged one', async () => {
    const w = world();
    const asked: string[] = [];
    w.digests = {
      resolveDigest: (reference) => {
        asked.push(reference);
        return Promise.resolve(`sha256:${'1'.repeat(64)}`);
      },
    };
    expect((await w.run(A)).instances[0]?.image).toBe(`registry.invalid/services-web:paasta-${A}@sha256:${'1'.repeat(64)}`);
    await w.run(A);
    expect(asked).toEqual([`registry.invalid/services-web:paasta-${A}`]);
  });

  it("accepts a node that reports the digest of an index's member, and reports any other as unproven", async () => {
    const [index, member] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`];
    for (const [members, expected] of [
      [[member], []],
      [[], ['IMAGE_UNPROVEN']],
    ] as const) {
      const w = world();
      w.digests = { resolveDigest: () => Promise.resolve(index), members: () => Promise.resolve(members) };
      w.cluster.onApply = (object) => {
        if (object.kind !== 'Deployment') return;
        // The node runs the member and says so.
        for (const pod of podsOf(object, 2)) {
          const status = pod.status as { containerStatuses: { imageID: string }[] };
          for (const container of status.containerStatuses) container.imageID = `registry.invalid/x@${member}`;
          w.cluster.tell(pod);
        }
        w.cluster.tell(readyDeployment(object));
      };
      const result = await w.run(A);
      expect(result.instances[0]?.state).toBe('deployed');
      expect(result.instances[0]?.problems.map((p) => p.code)).toEqual(expected);
    }
  });

  it('writes nothing for an image that is not in the registry', async () => {
    const w = world();
    w.digests = { resolveDigest: () => Promise.resolve(undefined) };
    const result = await w.run(A);
    expect(result.instances).toMatchObject([
      {
        state: 'failed',
        problems: [
          {
            code: 'IMAGE_NOT_FOUND',
            message: expect.stringContaining('is not in the registry; deploy group prod is marked for it') as string,
          },
        ],
      },
    ]);
    expect(w.cluster.written).not.toContain('Deployment web-main');
  });

  it('knows near names of everything that can be misspelled', async () => {
    const w = world();
    await expect(w.run(A, {}, { service: 'wbe' })).rejects.toThrow("did you mean 'web'?");
    await expect(w.run(A, {}, { cluster: 'lba' })).rejects.toThrow("did you mean 'lab'?");
    await expect(w.run(A, {}, { service: 'web', instances: ['mian'], deployGroup: 'prdo' })).rejects.toThrow(
      /did you mean 'main'\?[^]*did you mean 'prod'\?/,
    );
  });

  it('an unmarked group is an error when it was asked for, and skipped when everything was', async () => {
    const w = world();
    expect((await w.run(undefined)).instances).toMatchObject([{ state: 'not-marked' }]);
    expect((await w.run(undefined, {}, { deployGroup: 'prod' })).instances).toMatchObject([
      { state: 'failed', problems: [{ code: 'NOT_MARKED' }] },
    ]);
  });

  it('deletes nothing when soa-configs are empty', async () => {
    const w = world();
    await w.run(A);
    w.cluster.written.length = 0;
    const empty = world({}, [...w.cluster.objects.values()]);
    expect((await empty.run(A)).instances).toEqual([]);
    expect(empty.cluster.written).toEqual([]);
  });
});
