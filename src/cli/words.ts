/**
 * The words of the `paasta` command, with PaaSTA's option names. Each word is the main of an action behind a command line and is
 * loaded when it is used. Rules: paasta_tools/cli/cmds/{itest,push_to_registry,mark_for_deployment}.py.
 */
import {
  commit,
  DRY_RUN,
  GITHUB,
  gitUrl,
  image,
  IMAGE_VERSION,
  INSECURE,
  ONLY_SERVICE,
  REGISTRY,
  REGISTRY_LOGIN,
  repository,
  SERVICE,
  SOA_DIR,
  stopBindsTo,
  SYSTEM_CONFIG_DIR,
  timeout,
  type Word,
} from './word.ts';
import { CONTROL_WORDS } from './words-control.ts';
import { GENERATE_WORDS } from './words-generate.ts';
import { PIPELINE_WORDS } from './words-pipeline.ts';
import { READER_WORDS } from './words-readers.ts';
import { VALIDATE_WORDS } from './words-validate.ts';

export type { Word } from './word.ts';

const WAITS_IN_DEPLOY = "marking does not wait here; 'paasta deploy' does, and has its own options";

export const WORDS: readonly Word[] = [
  {
    name: 'itest',
    stage: 'itest',
    about: "builds and tests the image of a commit with 'make itest'",
    options: [
      ...image('full commit id that the image is named after. Default: HEAD'),
      timeout(['--timeout'], 'ends make and everything that it started after this time. Default: 60m'),
      { names: ['--target'], value: 'TARGET', input: 'target', help: 'target of the Makefile: itest (default), test or cook-image' },
      {
        names: ['--working-directory'],
        value: 'DIR',
        input: 'working-directory',
        help: 'directory of the Makefile. Default: the current one',
      },
      REGISTRY,
      SYSTEM_CONFIG_DIR,
      DRY_RUN,
    ],
    load: async () => {
      const [{ main }, { wire }] = await Promise.all([import('../itest/main.ts'), import('../itest/wire.ts')]);
      return (runtime) => main(runtime, wire(runtime));
    },
  },
  {
    name: 'push-to-registry',
    stage: 'push-to-registry',
    about: 'pushes the image that itest built, unless the registry has it already',
    options: [
      ...image('full commit id of the image. Default: HEAD'),
      { names: ['--force', '-f'], input: 'force', help: 'push even if the tag is in the registry; says what is replaced' },
      {
        names: ['--no-push-legacy-tag'],
        input: 'push-legacy-tag',
        sets: 'false',
        help: 'with --image-version: do not push the tag without the version',
      },
      {
        names: ['--push-legacy-tag'],
        input: 'push-legacy-tag',
        help: 'with --image-version: push the tag without the version, too (default, as in PaaSTA)',
      },
      timeout(['--timeout'], 'limit of the upload. Default: 60m'),
      REGISTRY,
      INSECURE,
      SYSTEM_CONFIG_DIR,
      DRY_RUN,
    ],
    load: async () => {
      const [{ main }, { wire }] = await Promise.all([import('../push-to-registry/main.ts'), import('../push-to-registry/wire.ts')]);
      return (runtime) => main(runtime, wire(runtime));
    },
  },
  {
    name: 'mark-for-deployment',
    stage: 'mark-for-deployment',
    about: 'marks a commit for a deploy group with a git tag',
    options: [
      SERVICE,
      commit(['--commit', '-c', '-k'], 'commit to mark'),
      {
        names: ['--deploy-group', '-l', '--clusterinstance'],
        value: 'GROUP',
        input: 'deploy-group',
        help: 'deploy group that is to run the commit',
      },
      gitUrl('repository of the service; the tag is pushed with plain git. Default: git_url of service.yaml'),
      IMAGE_VERSION,
      SOA_DIR,
      { names: ['--verify-image-exists'], input: 'verify-image', help: 'require the image in the registry (default here)' },
      { names: ['--no-verify-image-exists'], input: 'verify-image', sets: 'false', help: 'mark without asking the registry' },
      { names: ['--allow-unknown-group'], input: 'allow-unknown-group', help: 'mark a deploy group that no instance uses yet' },
      { names: ['--allow-older'], input: 'allow-older', help: 'mark an ancestor of what the group runs' },
      { names: ['--allow-rolled-back'], input: 'allow-rolled-back', help: 'mark a commit that was rolled back in this group' },
      { names: ['--wait-for-image'], input: 'wait-for-image', help: 'wait until the image appears in the registry' },
      timeout(['--timeout', '-t'], 'how long to wait for the image. Default: 30m'),
      repository('GitHub repository that gets the tag through the API, instead of --git-url'),
      { names: ['--no-create-deployment'], input: 'create-deployment', sets: 'false', help: 'do not create a GitHub Deployment' },
      ...REGISTRY_LOGIN,
      ...GITHUB,
      SYSTEM_CONFIG_DIR,
      DRY_RUN,
      {
        names: ['--wait-for-deployment'],
        refused: true,
        help: '',
        note: "run 'paasta deploy' with the same service and deploy group after marking: it deploys and waits",
      },
      {
        names: ['--auto-rollback'],
        refused: true,
        help: '',
        note: 'this version marks only; a failed deploy leaves the old version serving',
      },
      { names: ['--warn', '-w'], value: 'PERCENT', help: '', note: WAITS_IN_DEPLOY },
      { names: ['--auto-certify-delay'], value: 'SECONDS', help: '', note: WAITS_IN_DEPLOY },
      { names: ['--auto-abandon-delay'], value: 'SECONDS', help: '', note: WAITS_IN_DEPLOY },
      { names: ['--auto-rollback-delay'], value: 'SECONDS', help: '', note: WAITS_IN_DEPLOY },
      { names: ['--polling-interval'], value: 'SECONDS', help: '', note: WAITS_IN_DEPLOY },
      { names: ['--diagnosis-interval'], value: 'SECONDS', help: '', note: WAITS_IN_DEPLOY },
      { names: ['--time-before-first-diagnosis'], value: 'SECONDS', help: '', note: WAITS_IN_DEPLOY },
      { names: ['--author'], value: 'NAME', help: '', note: 'nobody is notified by this command' },
    ],
    load: async () => {
      const [{ main }, { wire }] = await Promise.all([import('../mark-for-deployment/main.ts'), import('../mark-for-deployment/wire.ts')]);
      return (runtime) => main(runtime, wire(runtime));
    },
  },
  {
    name: 'deploy',
    stage: 'deploy',
    about: 'makes a cluster run what soa-configs and the marks say, and waits until it does',
    options: [
      ONLY_SERVICE,
      {
        names: ['--instance', '--instances', '-i'],
        value: 'NAME',
        input: 'instance',
        repeatable: true,
        help: 'only this instance (repeatable)',
      },
      { names: ['--deploy-group', '-l'], value: 'GROUP', input: 'deploy-group', help: 'only the instances of this deploy group' },
      {
        names: ['--cluster', '--clusters', '-c'],
        value: 'NAME',
        input: 'cluster',
        help: 'cluster to deploy to. Default: the one of the system configuration',
      },
      {
        names: ['--mode'],
        value: 'MODE',
        input: 'mode',
        help: 'plan (say what would change; exit code 2: there are changes, 0: nothing to do, 1: an error), apply (default) or wait (only wait until the newest mark runs)',
      },
      {
        names: ['--plan-file'],
        value: 'FILE',
        input: 'plan-file',
        repeatable: true,
        help: 'write the plan there, too, as JSON (.json) or Markdown (.md) (repeatable)',
      },
      {
        names: ['--expected-plan'],
        value: 'HASH|FILE',
        input: 'expected-plan',
        help: 'the plan that was approved, as its hash or its JSON file; another plan is refused before anything is written',
      },
      timeout(['--timeout', '-t'], 'how long to wait for the bounce'),
      {
        names: ['--rate-limit'],
        value: 'N',
        input: 'rate-limit',
        help: 'change at most N instances, new code first; the rest is left for the next run. Default: 0, all of them',
      },
      {
        names: ['--stability-window'],
        value: 'TIME',
        input: 'stability-window',
        help: 'how long a bounced instance must stay ready before it counts. Default: 60s; 0s: no time',
      },
      SOA_DIR,
      SYSTEM_CONFIG_DIR,
      { names: ['--kubeconfig'], value: 'FILE', input: 'kubeconfig', help: 'kubeconfig that reaches the cluster' },
      {
        names: ['--kube-context'],
        value: 'NAME',
        input: 'kube-context',
        help: 'context of the kubeconfig. Default: the one that the system configuration names for the cluster',
      },
      {
        names: ['--adopt'],
        input: 'adopt',
        help: "take over objects of the same name that are not ours, PaaSTA's included; the plan says what will bounce",
      },
      { names: ['--no-pin-digest'], input: 'pin-digest', sets: 'false', help: "run the tag as PaaSTA does, instead of the tag's digest" },
      stopBindsTo(
        'how a stop is read from the tags: until the deploy group is marked with another version (mark, default), or whenever its commit is marked (commit, as PaaSTA)',
      ),
      { names: ['--deployment-id'], value: 'ID', input: 'deployment-id', help: 'GitHub Deployment whose status is written' },
      gitUrl('repository of the service, whose tags are the marks. Default: git_url of service.yaml'),
      ...REGISTRY_LOGIN,
      ...GITHUB,
      DRY_RUN,
    ],
    load: async () => {
      const [{ main }, { wire }] = await Promise.all([import('../deploy/main.ts'), import('../deploy/wire.ts')]);
      return (runtime) => main(runtime, wire(runtime));
    },
  },
  ...CONTROL_WORDS,
  ...GENERATE_WORDS,
  ...VALIDATE_WORDS,
  ...PIPELINE_WORDS,
  ...READER_WORDS,
];
