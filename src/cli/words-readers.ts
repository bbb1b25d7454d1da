/** Words that read and print. Options: paasta_tools/cli/cmds/{check,list,list_clusters,info,get_latest_deployment,get_docker_image}.py. */
import type { Runtime } from '../shared/contract/ports.ts';
import type { Option } from './options.ts';
import { GITHUB, gitUrl, json, SERVICE, SOA_DIR, SOA_DIR_OF_READERS, SYSTEM_CONFIG_DIR, type Word } from './word.ts';

type Reader = 'check' | 'info' | 'list' | 'listClusters' | 'getLatestDeployment' | 'getDockerImage';

function load(reader: Reader): () => Promise<(runtime: Runtime) => Promise<void>> {
  return async () => {
    const [main, { wire }] = await Promise.all([import('../readers/main.ts'), import('../readers/wire.ts')]);
    return (runtime) => main[reader](runtime, wire(runtime));
  };
}

const ONE_SERVICE: Option = {
  ...SERVICE,
  help: "name of the service in soa-configs; a leading 'services-' and trailing '/' are taken off",
};
const GROUP: Option = {
  names: ['--deploy-group', '-l', '-i'],
  value: 'GROUP',
  input: 'deploy-group',
  help: 'deploy group that is asked about',
};
const GIT_URL = gitUrl(
  'read the tags of this repository. Default: deployments.json of the service, else the tags of git_url of service.yaml',
);

export const READER_WORDS: readonly Word[] = [
  {
    name: 'check',
    stage: 'readers',
    plain: true,
    about: 'checks the repository in this directory and its soa-configs against the contract; fails when something is missing',
    options: [
      SERVICE,
      { ...SOA_DIR, names: ['--soa-dir', '--yelpsoa-config-root', '-y', '-d'] },
      SYSTEM_CONFIG_DIR,
      gitUrl('repository of the service, which must answer. Default: git_url of service.yaml'),
      json('print the checks as JSON'),
    ],
    load: load('check'),
  },
  {
    name: 'list',
    stage: 'readers',
    plain: true,
    about: 'lists the services that have instances',
    options: [
      { names: ['--all', '-a'], input: 'all', help: 'every service of soa-configs, with or without instances' },
      { names: ['--print-instances', '-i'], input: 'print-instances', help: 'every service.instance' },
      { ...SOA_DIR, names: ['--soa-dir', '-y', '-d'] },
      SYSTEM_CONFIG_DIR,
    ],
    load: load('list'),
  },
  {
    name: 'list-clusters',
    stage: 'readers',
    plain: true,
    about: 'lists the clusters that services have files for',
    options: [SOA_DIR_OF_READERS, SYSTEM_CONFIG_DIR],
    load: load('listClusters'),
  },
  {
    name: 'info',
    stage: 'readers',
    plain: true,
    about: 'prints what soa-configs says about a service: team, repository, clusters, endpoints',
    options: [SERVICE, SOA_DIR_OF_READERS, SYSTEM_CONFIG_DIR],
    load: load('info'),
  },
  {
    name: 'get-latest-deployment',
    stage: 'readers',
    plain: true,
    about: 'prints the commit (and image version) that a deploy group runs',
    options: [
      ONE_SERVICE,
      GROUP,
      { names: ['--sha-only'], input: 'sha-only', help: 'print the commit without the image version' },
      json('print {"sha": …, "image_version": …}'),
      GIT_URL,
      SOA_DIR_OF_READERS,
      SYSTEM_CONFIG_DIR,
      ...GITHUB,
    ],
    load: load('getLatestDeployment'),
  },
  {
    name: 'get-docker-image',
    stage: 'readers',
    plain: true,
    about: 'prints the image that a deploy group runs',
    options: [ONE_SERVICE, GROUP, GIT_URL, SOA_DIR_OF_READERS, SYSTEM_CONFIG_DIR, ...GITHUB],
    load: load('getDockerImage'),
  },
];
