/** `paasta start`, `stop`, `restart`. Options: `add_instance_filter_arguments` of paasta_tools/cli/cmds/status.py, start_stop_restart.py. */
import type { Option } from './options.ts';
import { DRY_RUN, GITHUB, gitUrl, repository, SERVICE, SOA_DIR, stopBindsTo, SYSTEM_CONFIG_DIR, type Word } from './word.ts';

const NEEDS_ONE_SERVICE = 'only one service is controlled at a time: name it with --service';

/** `web.main,canary`: the short form of --service and --instances. */
const SERVICE_INSTANCES: Option = {
  names: ['SERVICE.INSTANCES'],
  help: 'the short form of --service and --instances, such as web.main,canary',
  positional: true,
  splits: (text) => {
    const dot = text.indexOf('.');
    return dot === -1 ? { service: text } : { service: text.slice(0, dot), instance: text.slice(dot + 1) };
  },
};

function control(name: 'start' | 'stop' | 'restart', about: string, more: readonly Option[] = []): Word {
  const all = name === 'stop' ? 'A stop names them' : 'Default: all';
  return {
    name,
    stage: 'control',
    plain: true,
    about,
    inputs: { action: name },
    options: [
      SERVICE_INSTANCES,
      name === 'stop'
        ? { ...SERVICE, help: "name of the service in soa-configs; a leading 'services-' and trailing '/' are taken off. A stop names it" }
        : SERVICE,
      {
        names: ['--clusters', '-c', '--cluster'],
        value: 'NAMES',
        input: 'cluster',
        repeatable: true,
        help: `clusters, with commas between them. ${all}`,
      },
      {
        names: ['--instances', '-i', '--instance'],
        value: 'NAMES',
        input: 'instance',
        repeatable: true,
        help: `instances, with commas between them. ${all}`,
      },
      {
        names: ['--deploy-group', '-l'],
        value: 'NAMES',
        input: 'deploy-group',
        repeatable: true,
        help: 'only instances of these deploy groups, with commas between them',
      },
      SOA_DIR,
      gitUrl('repository of the service; the tags are pushed with plain git. Default: git_url of service.yaml'),
      repository('GitHub repository that gets the tags through the API, instead of --git-url'),
      stopBindsTo('how the readers of the tags bind a stop: to the mark (default), or to the commit as PaaSTA and deployments.json do'),
      ...GITHUB,
      SYSTEM_CONFIG_DIR,
      DRY_RUN,
      { names: ['--owner', '-o'], value: 'TEAM', refused: true, help: '', note: NEEDS_ONE_SERVICE },
      { names: ['--registration', '-r'], value: 'NAME', refused: true, help: '', note: NEEDS_ONE_SERVICE },
      ...more,
    ],
    load: async () => {
      const [{ main }, { wire }] = await Promise.all([import('../control/main.ts'), import('../control/wire.ts')]);
      return (runtime) => main(runtime, wire(runtime));
    },
  };
}

const ONE_POD = "one replica is replaced with 'kubectl delete pod NAME' (--force is its --grace-period=0 --force)";

export const CONTROL_WORDS: readonly Word[] = [
  control('start', 'starts instances that were stopped'),
  control('stop', 'stops instances until their deploy group is marked with another version'),
  control('restart', 'bounces instances: a start with a new time', [
    { names: ['--replica'], value: 'POD', refused: true, help: '', note: ONE_POD },
    { names: ['--force'], refused: true, help: '', note: ONE_POD },
  ]),
];
