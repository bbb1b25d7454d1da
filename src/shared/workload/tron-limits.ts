/** What Tron can do and a CronJob cannot: each is said on its line. */
import { problem, warning, type Problem } from '../contract/errors.ts';
import { suggestName } from '../contract/near.ts';
import { isMap, numberOf, type Value, type ValueMap } from '../contract/values.ts';
import type { InstanceConfig, TronJob } from '../soa-configs/types.ts';
import { pythonText } from '../contract/python-text.ts';
import type { Refuse } from './placement.ts';
import { flagOf, textsOf } from './values-of.ts';

function isGiven(value: Value | undefined): boolean {
  if (value === undefined || value === null || value === false || value === '') return false;
  return Array.isArray(value) ? value.length > 0 : isMap(value) ? Object.keys(value).length > 0 : true;
}

const IN_JOB: Readonly<Record<string, readonly [why: string, hint: string]>> = {
  cleanup_action: [
    'an action that runs whatever became of the others has no counterpart',
    'let the command clean up after itself (trap … EXIT)',
  ],
  all_nodes: ['a job on all nodes has no counterpart', 'run a DaemonSet'],
};

const IN_ACTION: Readonly<Record<string, readonly [why: string, hint: string]>> = {
  triggered_by: ['an action that waits for other jobs has no counterpart', 'leave this job to Tron'],
  trigger_downstreams: ['an action that starts other jobs has no counterpart', 'leave this job to Tron'],
  boto_keys: ['it is not rendered for scheduled jobs', 'use secret_volumes'],
  crypto_keys: ['it is not rendered for scheduled jobs', 'use secret_volumes'],
  mrjob: ['it belongs to clusters outside of Kubernetes', 'leave this job to Tron'],
};

/** Of a line of actions in one pod, where Kubernetes counts only for the whole. */
const IN_LINE: Readonly<Record<string, string>> = {
  retries: 'a line of actions is repeated as a whole or not at all',
  max_runtime: 'a line of actions has one time limit',
};

const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  retries_delay: 'Kubernetes waits 10 s, then twice as long each time',
  expected_runtime: 'nobody is told when it takes longer',
  trigger_timeout: 'nothing is waited for',
  on_upstream_rerun: 'nothing is waited for',
  constraints: 'use pool or node_selectors',
  extra_constraints: 'use pool or node_selectors',
  aws_credentials: 'it is for spark only',
  spark_args: 'it is for spark only',
  force_spark_resource_configs: 'it is for spark only',
  cluster: 'the file says which cluster',
};

function idle(config: ValueMap, keys: Readonly<Record<string, string>>, title: string, refuse: Refuse): void {
  for (const [key, instead] of Object.entries(keys))
    if (isGiven(config[key]))
      refuse([key], warning('KEY_WITHOUT_EFFECT', `${title}: ${key} has no effect in a CronJob`, { hint: instead }));
  if (isGiven(config['node']) && config['node'] !== 'paasta')
    refuse(
      ['node'],
      warning('KEY_WITHOUT_EFFECT', `${title}: node has no effect in a CronJob`, {
        hint: 'Kubernetes chooses the node; use pool or node_selectors',
      }),
    );
}

/** Refuses keys of a job and its actions that a CronJob cannot express; the others that change nothing are warnings. */
export function refusedKeys(job: TronJob, actions: readonly InstanceConfig[], refuse: Refuse, problems: Problem[]): void {
  const title = `job '${job.job}'`;
  for (const [key, [why, hint]] of Object.entries(IN_JOB))
    if (isGiven(job.config[key])) refuse([key], problem('TRON_NOT_EXPRESSIBLE', `${title}: ${key}: ${why} in a CronJob`, { hint }));
  idle(job.config, { expected_runtime: WITHOUT_EFFECT['expected_runtime'] ?? '', cluster: WITHOUT_EFFECT['cluster'] ?? '' }, title, refuse);
  if (!flagOf(job.config['queueing'], true) && flagOf(job.config['allow_overlap'], false))
    refuse(['queueing'], warning('KEY_WITHOUT_EFFECT', `${title}: queueing has no effect beside allow_overlap`));
  for (const instance of actions) {
    const { config } = instance;
    const own = `action '${instance.instance.slice(job.job.length + 1)}' of ${title}`;
    const say: Refuse = (path, said) => problems.push({ ...said, ...instance.position(path) });
    const executor = config['executor'] ?? 'paasta';
    if (executor !== 'paasta')
      say(
        ['executor'],
        problem('TRON_NOT_EXPRESSIBLE', `${own}: executor ${pythonText(executor)} does not run in a container of the service`, {
          hint: 'leave this job to Tron, or use executor paasta',
        }),
      );
    for (const [key, [why, hint]] of Object.entries(IN_ACTION))
      if (isGiven(config[key])) say([key], problem('TRON_NOT_EXPRESSIBLE', `${own}: ${key}: ${why}`, { hint }));
    if (actions.length > 1) {
      for (const [key, why] of Object.entries(IN_LINE))
        if (isGiven(config[key]) && numberOf(config[key] ?? null) !== 0)
          say(
            [key],
            problem('TRON_NOT_EXPRESSIBLE', `${own}: ${key}: ${why}`, {
              hint: key === 'max_runtime' ? 'set max_runtime of the job' : 'let the command try again',
            }),
          );
    }
    idle(config, WITHOUT_EFFECT, own, say);
  }
}

/** Names of actions in the order in which they run; `undefined` when they are no line (then problems were added). */
export function actionOrder(job: TronJob, actions: readonly InstanceConfig[], problems: Problem[]): readonly string[] | undefined {
  const names = actions.map(({ instance }) => instance.slice(job.job.length + 1));
  const before = problems.length;
  const next = new Map<string, string>();
  const roots: string[] = [];
  for (const [index, instance] of actions.entries()) {
    const name = names[index] as string;
    const requires = textsOf(instance.config['requires']);
    const say = (code: string, message: string, hint: string): void => {
      problems.push(
        problem(code, `job '${job.job}': ${message}`, { ...instance.position(requires.length === 0 ? [] : ['requires']), hint }),
      );
    };
    const unknown = requires.filter((one) => !names.includes(one));
    if (unknown.length > 0)
      say(
        'UNKNOWN_ACTION',
        `action '${name}' requires '${unknown[0] ?? ''}', which is no action of the job`,
        suggestName(unknown[0] ?? '', names),
      );
    else if (requires.length > 1)
      say(
        'TRON_NOT_A_LINE',
        `action '${name}' requires ${requires.length} actions (${requires.join(', ')}); a CronJob runs a single line of actions`,
        'let each action require the one before it, or leave this job to Tron',
      );
    else if (requires.length === 0) roots.push(name);
    else {
      const [first = ''] = requires;
      const other = next.get(first);
      if (other !== undefined)
        say(
          'TRON_NOT_A_LINE',
          `actions '${other}' and '${name}' both require '${first}'; a CronJob runs a single line of actions`,
          `let '${name}' require '${other}', or leave this job to Tron`,
        );
      else next.set(first, name);
    }
  }
  if (problems.length > before) return undefined;
  if (roots.length !== 1) {
    const [first = '', second = ''] = roots;
    problems.push(
      problem(
        'TRON_NOT_A_LINE',
        roots.length === 0
          ? `job '${job.job}': actions wait for each other`
          : `job '${job.job}': actions '${first}' and '${second}' start at the same time; a CronJob runs a single line of actions`,
        {
          ...job.position(['actions']),
          hint: roots.length === 0 ? 'remove one of the requires' : `let '${second}' require '${first}', or make two jobs`,
        },
      ),
    );
    return undefined;
  }
  const order: string[] = [];
  for (let name = roots[0]; name !== undefined; name = next.get(name)) order.push(name);
  if (order.length === names.length) return order;
  const left = names.filter((name) => !order.includes(name));
  problems.push(
    problem('TRON_NOT_A_LINE', `job '${job.job}': actions ${left.join(', ')} wait for each other`, {
      ...job.position(['actions']),
      hint: 'remove one of the requires',
    }),
  );
  return undefined;
}

/** Names in single braces: what Tron would fill in. */
export function stringFaults(text: string): readonly string[] {
  const single = text.replaceAll('{{', '').replaceAll('}}', '');
  return [...new Set([...single.matchAll(/\{([^{}]{0,80})\}?/g)].map(([, name = '']) => name))];
}
