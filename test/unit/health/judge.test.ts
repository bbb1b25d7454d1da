import { judge, readyByVersion, type Diagnosis, type Evidence, type Expectation, type Verdict } from '../../../src/shared/health/index.ts';
import { at, DIGEST, event, evidence, expectation, labels, OLD, pod, replicaSet, SHA, T0, workload, type PodParts } from './scene.ts';
import { processorTime } from '../../support/processor-time.ts';

const NOW = T0 + 60_000;
const ready = (name: string): ReturnType<typeof pod> => pod(name, { ready: true });

function verdict(parts: Partial<Evidence>, more: Partial<Expectation> = {}, now = NOW): Verdict {
  return judge(expectation(more), evidence(parts), now);
}

function doom(pods: PodParts, events: Evidence['events'] = [], now = NOW): Diagnosis | undefined {
  const result = verdict({ pods: [pod('p1', pods), pod('p2', pods)], events }, {}, now);
  return result.state === 'doomed' ? result.diagnosis : undefined;
}

describe('success is proof', () => {
  it.each<[string, Partial<Evidence>, Partial<Expectation>, string]>([
    ['all ready, only ours', { pods: [ready('a'), ready('b')] }, {}, 'proven'],
    ['the workload is not there yet', { workload: undefined }, {}, 'progressing'],
    ['the controller has not seen our write', { workload: workload({ generation: 4 }), pods: [ready('a'), ready('b')] }, {}, 'progressing'],
    ['the answer is older than our write', { workload: workload({ labels: labels(OLD) }) }, { generation: 4 }, 'progressing'],
    ['one of two ready, margin 1', { pods: [ready('a'), pod('b')] }, {}, 'progressing'],
    ['one of two ready, margin 0.5', { pods: [ready('a'), pod('b')] }, { marginFactor: 0.5 }, 'proven'],
    ['ceil(0.7 × 10) is 7, not 8', { pods: 'abcdefg'.split('').map(ready) }, { marginFactor: 0.7, replicas: 10 }, 'proven'],
    ['an old pod still terminates', { pods: [ready('a'), ready('b'), pod('c', { sha: OLD, terminating: 50 })] }, {}, 'progressing'],
    ['an old pod is left on a dead node', { pods: [ready('a'), ready('b'), pod('c', { sha: OLD, terminating: -30 })] }, {}, 'proven'],
    ['an old pod was evicted', { pods: [ready('a'), ready('b'), pod('c', { sha: OLD, phase: 'Failed' })] }, {}, 'proven'],
    [
      'an old ReplicaSet still wants pods',
      { replicaSets: [replicaSet(SHA, 2), replicaSet(OLD, 1)], pods: [ready('a'), ready('b')] },
      {},
      'progressing',
    ],
    [
      'old pods with our version but another configuration',
      { pods: [ready('a'), ready('b'), { ...ready('c'), metadata: { ...ready('c').metadata, labels: labels(SHA, 'config22222222') } }] },
      {},
      'progressing',
    ],
    [
      'brutal: nothing ready yet is not success',
      { pods: [], workload: workload({ spec: { strategy: { rollingUpdate: { maxUnavailable: '100%' } } } }) },
      {},
      'progressing',
    ],
    ['stopped and empty', { pods: [], workload: workload({ spec: { replicas: 0 } }) }, { replicas: 0 }, 'proven'],
    ['stopped, one pod left', { pods: [pod('a', { terminating: 50 })] }, { replicas: 0 }, 'progressing'],
    [
      'autoscaled: the live number counts',
      { pods: [ready('a')], workload: workload({ spec: { replicas: 1 } }) },
      { replicas: 5, autoscaled: true },
      'proven',
    ],
    [
      'hand-scaled to 1: what was promised counts',
      { pods: [ready('a')], workload: workload({ spec: { replicas: 1 } }) },
      {},
      'progressing',
    ],
    [
      'paused although everything is there',
      { pods: [ready('a'), ready('b')], workload: workload({ spec: { paused: true } }) },
      {},
      'proven',
    ],
    ['paused in the middle', { pods: [ready('a')], workload: workload({ spec: { paused: true } }) }, {}, 'doomed'],
    ['a newer version took over', { workload: workload({ labels: labels(OLD) }) }, {}, 'superseded'],
    [
      'StatefulSet, all there',
      { workload: workload({ kind: 'StatefulSet' }), replicaSets: [], pods: [ready('a'), ready('b')] },
      {},
      'proven',
    ],
    [
      'StatefulSet with OnDelete',
      {
        workload: workload({ kind: 'StatefulSet', spec: { updateStrategy: { type: 'OnDelete' } } }),
        replicaSets: [],
        pods: [pod('a', { sha: OLD, ready: true })],
      },
      {},
      'doomed',
    ],
  ])('%s', (_name, parts, more, state) => {
    expect(verdict(parts, more).state).toBe(state);
  });

  it('says what it waits for', () => {
    expect(verdict({ pods: [ready('a'), ready('b'), pod('c', { sha: OLD, terminating: 50 })] })).toMatchObject({
      waitingFor: '1 old pod (version 22222222) to terminate',
      freeing: true,
    });
    expect(verdict({ workload: workload({ labels: labels(OLD) }) })).toEqual({ state: 'superseded', by: 'version 22222222' });
    expect(verdict({ workload: workload({ labels: labels(SHA, 'config9') }) })).toEqual({
      state: 'superseded',
      by: 'configuration config9 of 11111111',
    });
  });

  it('accepts the digest of the index or of a member, and reports any other as unproven', () => {
    const member = `sha256:${'b'.repeat(64)}`;
    const pods = [pod('a', { ready: true, status: { imageID: `reg/x@${member}` } }), ready('b')];
    expect(verdict({ pods })).toMatchObject({
      state: 'proven',
      unprovenImage: expect.stringContaining(`1 pod report reg/x@${member} instead of ${DIGEST}`),
    });
    expect(verdict({ pods }, { memberDigests: [member] })).not.toHaveProperty('unprovenImage');
    expect(verdict({ pods }, { imageDigest: undefined })).not.toHaveProperty('unprovenImage');
  });
});

describe('doom list', () => {
  const waiting = (reason: string, message = '', restartCount = 0, more: PodParts['status'] = {}): PodParts => ({
    status: { state: { waiting: { reason, message } }, restartCount, ...more },
  });
  const ended = (exitCode: number, reason = 'Error', message = ''): PodParts['status'] => ({
    lastState: { terminated: { exitCode, reason, message } },
  });

  it.each<[string, PodParts, string | undefined, boolean?]>([
    [
      'image not there',
      waiting('ErrImagePull', 'rpc error: code = NotFound desc = failed to pull: reg/x:1: not found'),
      'IMAGE_NOT_FOUND',
      true,
    ],
    [
      'image not there, backing off',
      waiting('ImagePullBackOff', 'Back-off pulling image "x": ErrImagePull: manifest unknown'),
      'IMAGE_NOT_FOUND',
      true,
    ],
    [
      'registry refuses',
      waiting('ErrImagePull', 'pull access denied, repository does not exist or may require authorization'),
      'IMAGE_PULL_FAILED',
      false,
    ],
    ['registry away', waiting('ErrImagePull', 'dial tcp 10.0.0.1:443: i/o timeout'), 'IMAGE_PULL_FAILED', false],
    ['invalid image name', waiting('InvalidImageName', "couldn't parse image reference"), 'CONTAINER_CONFIG', false],
    ['missing secret', waiting('CreateContainerConfigError', 'secret "web-secret" not found'), 'CONTAINER_CONFIG', false],
    [
      'secret cache race passes',
      waiting('CreateContainerConfigError', 'failed to sync secret cache: timed out waiting for the condition'),
      undefined,
    ],
    ['first crash is no loop', waiting('CrashLoopBackOff', 'back-off 10s', 1, ended(1)), undefined],
    ['crash loop', waiting('CrashLoopBackOff', 'back-off 20s', 2, ended(1)), 'CRASH_LOOP', true],
    ['out of memory', waiting('CrashLoopBackOff', 'back-off 20s', 2, ended(137, 'OOMKilled')), 'OOM_KILLED', true],
    [
      'command missing',
      waiting('CrashLoopBackOff', '', 2, ended(128, 'StartError', 'exec: "serve": executable file not found in $PATH')),
      'CONTAINER_CANNOT_RUN',
      true,
    ],
    ['node trouble', waiting('RunContainerError', 'context deadline exceeded'), 'CONTAINER_CANNOT_RUN', false],
    ['seen between two backoffs', { status: { state: { terminated: { exitCode: 2 } }, restartCount: 3 } }, 'CRASH_LOOP', true],
    ['just restarted again', { status: { state: { running: { startedAt: at(58) } }, restartCount: 3, ...ended(2) } }, 'CRASH_LOOP', true],
    ['restarted and stays up', { status: { state: { running: { startedAt: at(30) } }, restartCount: 3, ...ended(2) } }, undefined],
    [
      'init container crashes',
      { init: { state: { waiting: { reason: 'CrashLoopBackOff' } }, restartCount: 3, ...ended(1) } },
      'CRASH_LOOP',
      false,
    ],
    ['init container done', { init: { state: { terminated: { exitCode: 0 } }, restartCount: 3 } }, undefined],
    [
      'evicted pods do not count',
      { ...waiting('CrashLoopBackOff', '', 9, ended(1)), phase: 'Failed', more: { reason: 'Evicted' } },
      undefined,
    ],
    ['being created', waiting('ContainerCreating'), undefined],
    [
      'unplaced for 40 s',
      {
        conditions: [
          {
            type: 'PodScheduled',
            status: 'False',
            reason: 'Unschedulable',
            message: '0/3 nodes are available: 3 Insufficient cpu.',
            lastTransitionTime: at(20),
          },
        ],
      },
      'UNSCHEDULABLE',
      false,
    ],
    [
      'unplaced for 10 s',
      { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', lastTransitionTime: at(50) }] },
      undefined,
    ],
    [
      'another pod makes room',
      {
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', lastTransitionTime: at(0) }],
        more: { nominatedNodeName: 'n2' },
      },
      undefined,
    ],
    [
      'readiness fails beyond its window',
      {
        spec: {
          readinessProbe: { httpGet: { path: '/status', port: 8888 }, initialDelaySeconds: 5, periodSeconds: 5, failureThreshold: 3 },
        },
        status: { state: { running: { startedAt: at(20) } } },
      },
      'PROBE_FAILING',
      true,
    ],
    [
      'was ready a moment ago',
      {
        spec: { readinessProbe: { httpGet: { path: '/status', port: 8888 }, periodSeconds: 5, failureThreshold: 3 } },
        status: { state: { running: { startedAt: at(-600) } } },
        readyLost: 55,
      },
      undefined,
    ],
    [
      'readiness fails within its window',
      {
        spec: {
          readinessProbe: { httpGet: { path: '/status', port: 8888 }, initialDelaySeconds: 60, periodSeconds: 10, failureThreshold: 30 },
        },
        status: { state: { running: { startedAt: at(1) } } },
      },
      undefined,
    ],
  ])('%s', (...[, parts, code, inCommit]) => {
    const found = doom(parts);
    expect(found?.code).toBe(code);
    if (inCommit !== undefined) expect(found?.inCommit).toBe(inCommit);
  });

  it('tells the crash with exit code, log and command', () => {
    const found = doom(waiting('CrashLoopBackOff', '', 4, ended(139, 'Error', 'segfault')), [
      event('p1', 'BackOff', 'Back-off restarting failed container', { count: 5 }),
    ]);
    expect(found).toMatchObject({
      object: 'Pod p1',
      container: 'main',
      cause: 'container main ends with signal 11 (exit code 139), 5 times so far: segfault. The same holds for 1 other pod.',
      log: { namespace: 'paastasvc-web', pod: 'p1', container: 'main', previous: true },
      events: ['BackOff: Back-off restarting failed container ×5'],
    });
    expect(found?.next).toContain('kubectl -n paastasvc-web logs p1 -c main --previous');
  });

  it('tells of the pod that crashed most, whatever their order: the words do not change back and forth', () => {
    const pods = [2, 3, 2].map((times, n) => pod(`p${n}`, waiting('CrashLoopBackOff', '', times, ended(1, 'Error'))));
    for (const order of [pods, [...pods].reverse()]) {
      const result = verdict({ pods: order }, { replicas: 3 });
      expect(result.state === 'doomed' ? [result.diagnosis.object, result.diagnosis.cause] : result).toEqual([
        'Pod p1',
        'container main ends with exit code 1, 4 times so far. The same holds for 2 other pods.',
      ]);
    }
  });

  it('counts on while a container ends, waits and begins again', () => {
    const terminated = { terminated: { exitCode: 2, reason: 'Error' } };
    const told = [
      { restartCount: 2, state: terminated, lastState: { terminated: { exitCode: 1, reason: 'Error' } } },
      { restartCount: 2, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: terminated },
      { restartCount: 3, state: { running: { startedAt: at(55) } }, lastState: terminated },
      { restartCount: 3, state: terminated, lastState: terminated },
    ].map((status) => doom({ status })?.cause);
    expect(told.map((cause) => cause?.replace(/ so far.*/, ''))).toEqual([
      ...Array<string>(3).fill('container main ends with exit code 2, 3 times'),
      'container main ends with exit code 2, 4 times',
    ]);
  });

  it("names the probe, the scheduler's numbers and the image", () => {
    const probe = doom(
      {
        spec: { readinessProbe: { httpGet: { path: '/status', port: 8888 }, periodSeconds: 1 } },
        status: { state: { running: { startedAt: at(0) } } },
      },
      [event('p1', 'Unhealthy', 'Readiness probe failed: HTTP probe failed with statuscode: 503')],
    );
    expect(probe?.cause).toMatch(
      /readiness probe \(GET http:\/\/<pod>:8888\/status\) still fails after \d+ s: Readiness probe failed: HTTP probe failed with statuscode: 503/,
    );
    expect(doom(waiting('ErrImagePull', 'not found'))?.cause).toContain('reg/services-web:paasta-1');
  });

  it('takes the reason of a back-off from the events of older kubelets, of that container only', () => {
    const backingOff = waiting('ImagePullBackOff', 'Back-off pulling image "reg/x:1"');
    expect(
      doom(backingOff, [
        event('p1', 'Failed', 'Failed to pull image: not found', { fieldPath: 'spec.containers{main}' }),
        event('p2', 'Failed', 'Failed to pull image: not found'),
      ])?.code,
    ).toBe('IMAGE_NOT_FOUND');
    expect(doom(backingOff, [event('p1', 'Failed', 'not found', { fieldPath: 'spec.containers{sidecar}' })])?.code).toBe(
      'IMAGE_PULL_FAILED',
    );
  });

  it('calls a container killed by its liveness probe a failing probe, not a crash', () => {
    const events = [
      event('p1', 'Unhealthy', 'Liveness probe failed: connection refused'),
      event('p1', 'Killing', 'Container main failed liveness probe, will be restarted', { seconds: 6 }),
    ];
    const found = verdict({
      pods: [pod('p1', { ...waiting('CrashLoopBackOff', '', 3, ended(137)), spec: { livenessProbe: { tcpSocket: { port: 9 } } } })],
      events,
    });
    expect(found).toMatchObject({
      state: 'doomed',
      diagnosis: {
        code: 'PROBE_FAILING',
        cause: expect.stringContaining('(TCP connect to port 9) fails: Liveness probe failed: connection refused'),
      },
    });
  });

  it('waits for an autoscaler that adds nodes', () => {
    expect(
      doom({ conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', lastTransitionTime: at(0) }] }, [
        event('p1', 'TriggeredScaleUp', 'pod triggered scale-up'),
        event('p2', 'TriggeredScaleUp', 'pod triggered scale-up'),
      ]),
    ).toBeUndefined();
  });

  it('keeps hostile text on one line', () => {
    const found = doom(waiting('CreateContainerConfigError', 'bad\n::error::forged\u001b[31m red\r\n'), [
      event('p1', 'Failed', 'x\n::set-output name=a::b'),
    ]);
    expect([found?.cause, found?.next, ...(found?.events ?? [])].join('')).not.toMatch(/[\n\r\u001b]/);
  });
});

describe('budget and refusals', () => {
  const crashing = (name: string): ReturnType<typeof pod> =>
    pod(name, {
      status: { state: { waiting: { reason: 'CrashLoopBackOff' } }, restartCount: 3, lastState: { terminated: { exitCode: 1 } } },
    });

  it.each([
    [5, 1, 4, 'progressing'],
    [5, 2, 3, 'doomed'],
    [50, 5, 45, 'progressing'],
    [50, 6, 44, 'doomed'],
    [1, 1, 0, 'doomed'],
    [5, 1, 0, 'doomed'],
  ])('of %i wanted, %i crash and %i are ready: %s', (wanted, bad, good, state) => {
    const pods = [
      ...Array.from({ length: bad }, (_, i) => crashing(`bad${i}`)),
      ...Array.from({ length: good }, (_, i) => ready(`good${i}`)),
    ];
    expect(verdict({ pods }, { replicas: wanted }).state).toBe(state);
  });

  const failure = (message: string): Record<string, string> => ({
    type: 'ReplicaFailure',
    status: 'True',
    reason: 'FailedCreate',
    message,
  });
  const refused = (message: string, more: Partial<Evidence> = {}): Verdict =>
    verdict({ replicaSets: [replicaSet(SHA, 2, [failure(message)])], ...more });
  const QUOTA =
    'pods "web-main-1-x" is forbidden: exceeded quota: team, requested: memory=512Mi,pods=1, used: memory=900Mi,pods=9, limited: memory=1Gi,pods=10';

  it('reads the numbers of a quota', () => {
    expect(refused(QUOTA)).toMatchObject({
      state: 'doomed',
      diagnosis: {
        code: 'QUOTA_EXCEEDED',
        object: `ReplicaSet web-main-${SHA.slice(0, 6)}`,
        cause:
          'The quota team of namespace paastasvc-web is exhausted: memory: requested 512Mi, used 900Mi of 1Gi; pods: requested 1, used 9 of 10.',
        inCommit: false,
      },
    });
  });

  it.each([
    ['admission webhook "guard.acme.io" denied the request: no latest tag', 'The admission webhook guard.acme.io refuses the pod'],
    [
      'pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi',
      'A LimitRange of namespace paastasvc-web refuses the pod',
    ],
    [
      'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot',
      'Pod security of namespace paastasvc-web refuses the pod',
    ],
  ])('%s', (message, cause) => {
    expect(refused(message)).toMatchObject({
      state: 'doomed',
      diagnosis: { code: 'ADMISSION_DENIED', cause: expect.stringContaining(cause) },
    });
  });

  it('waits while old pods make room or a webhook is only away', () => {
    expect(refused(QUOTA, { pods: [pod('old', { sha: OLD, terminating: 50 })] })).toMatchObject({ state: 'progressing', freeing: true });
    expect(refused('Internal error occurred: failed calling webhook "x": timeout').state).toBe('progressing');
    expect(refused(QUOTA, { pods: [ready('a'), ready('b')] }).state).toBe('proven');
    // an API server that has just started refuses even the controller, for a moment
    expect(
      refused(
        'pods is forbidden: User "system:serviceaccount:kube-system:replicaset-controller" cannot create resource "pods" in API group "" in the namespace "x"',
      ).state,
    ).toBe('progressing');
    // a namespace that was just made has no service account for a moment
    expect(
      refused('pods "web-main-1" is forbidden: error looking up service account paastasvc-web/default: serviceaccount "default" not found')
        .state,
    ).toBe('progressing');
    // a quota that was just made has no count
    expect(refused('pods "web-main-1" is forbidden: status unknown for quota: compute, resources: pods').state).toBe('progressing');
  });

  it('folds what a controller says about every pod that it could not make', () => {
    const name = `web-main-${SHA.slice(0, 6)}`;
    const events = ['psmgc', 'drwps', 'w2rfb'].map((suffix) =>
      event(name, 'FailedCreate', `Error creating: pods "${name}-${suffix}" is forbidden: exceeded quota`, { kind: 'ReplicaSet' }),
    );
    expect(refused(QUOTA, { events })).toMatchObject({
      diagnosis: { events: [`FailedCreate: Error creating: pods "${name}-…" is forbidden: exceeded quota ×3`] },
    });
  });

  it("reads a StatefulSet's refusal from its newest event", () => {
    const of = (...events: Evidence['events']): Verdict =>
      verdict({ workload: workload({ kind: 'StatefulSet' }), replicaSets: [], events });
    const refusal = event('web-main', 'FailedCreate', `create Pod web-main-0 failed error: ${QUOTA}`, { kind: 'StatefulSet', seconds: 5 });
    expect(of(refusal)).toMatchObject({ diagnosis: { code: 'QUOTA_EXCEEDED' } });
    expect(of(refusal, event('web-main', 'SuccessfulCreate', 'create Pod web-main-0', { kind: 'StatefulSet', seconds: 9 })).state).toBe(
      'progressing',
    );
    const uncounted =
      'create Pod web-main-0 failed error: pods "web-main-0" is forbidden: status unknown for quota: compute, resources: pods';
    expect(of(event('web-main', 'FailedCreate', uncounted, { kind: 'StatefulSet', seconds: 5 })).state).toBe('progressing');
  });

  it('names a suspect while it waits, for the report of a time-out', () => {
    expect(refused('Internal error occurred: failed calling webhook "x": timeout')).toMatchObject({
      suspect: { code: 'ADMISSION_DENIED', cause: expect.stringContaining('failed calling webhook') },
    });
    expect(verdict({ pods: [crashing('a'), ...'bcde'.split('').map(ready)] }, { replicas: 5 })).toMatchObject({
      state: 'progressing',
      waitingFor: '1 more of 5 pods to be ready (1 pod: CRASH_LOOP)',
      suspect: { code: 'CRASH_LOOP', object: 'Pod a' },
    });
    expect(verdict({ pods: [pod('a'), ready('b')] })).not.toHaveProperty('suspect');
  });

  it('judges a thousand pods with ten thousand events fast enough to do it every second', () => {
    const pods = Array.from({ length: 1_000 }, (_, i) => crashing(`p${i}`));
    const events = Array.from({ length: 10_000 }, (_, i) => event(`p${i % 1_000}`, 'BackOff', 'Back-off restarting failed container'));
    let judged: Verdict | undefined;
    const milliseconds = processorTime(() => {
      judged = verdict({ pods, events }, { replicas: 1_000 });
    });
    expect(judged?.state).toBe('doomed');
    expect(milliseconds).toBeLessThan(500);
  });

  it("believes a passed deadline only when it is this rollout's", () => {
    const late = (seconds: number): Verdict =>
      verdict({
        workload: workload({
          status: {
            conditions: [
              {
                type: 'Progressing',
                status: 'False',
                reason: 'ProgressDeadlineExceeded',
                message: 'ReplicaSet has timed out',
                lastUpdateTime: at(seconds),
              },
            ],
          },
        }),
      });
    expect(late(30)).toMatchObject({ state: 'doomed', diagnosis: { code: 'TIMEOUT' } });
    expect(late(-30).state).toBe('progressing');
  });
});

describe('who serves meanwhile', () => {
  it('is told by version, of this workload and of those that shall go; what is leaving or not ready does not count', () => {
    const configured = { ...ready('e'), metadata: { ...ready('e').metadata, labels: labels(SHA, 'config22222222') } };
    const pods = [ready('a'), pod('b'), configured, pod('f', { ready: true, sha: OLD, terminating: 30 })];
    const oldPods = [pod('c', { ready: true, sha: OLD }), pod('d', { ready: true, sha: OLD })];
    expect(readyByVersion(expectation(), evidence({ pods, oldPods }))).toEqual([
      { version: 'version 22222222', pods: 2 },
      { version: 'the wanted version', pods: 1 },
      { version: 'configuration config22222222 of 11111111', pods: 1 },
    ]);
    expect(readyByVersion(expectation(), evidence({ pods: [pod('b')] }))).toEqual([]);
  });
});
