import { infoLines } from '../../../src/readers/info.ts';
import { checkLines, failed, passed } from '../../../src/readers/contract-check.ts';
import { deploymentsFromFile } from '../../../src/shared/deployments/index.ts';
import { loadSoaConfigs, systemConfigOf } from '../../../src/shared/soa-configs/index.ts';
import { memoryTree } from '../../support/memory-tree.ts';

const SHA = 'a1'.repeat(20);

function info(files: Record<string, string>, system: Parameters<typeof systemConfigOf>[0] = {}): readonly string[] {
  const config = systemConfigOf({ clusters: ['prod', 'dev'], ...system });
  const text = files['web/deployments.json'];
  return infoLines(
    loadSoaConfigs(memoryTree(files), config).load('web'),
    config,
    text === undefined ? undefined : deploymentsFromFile('web', text, 'web/deployments.json'),
  );
}

it('prints what soa-configs says', () => {
  const deployed = JSON.stringify({
    v2: { deployments: { all: { docker_image: `services-web:paasta-${SHA}`, git_sha: SHA, image_version: null } }, controls: {} },
  });
  expect(
    info(
      {
        'web/service.yaml': 'description: Serves pages\nexternal_link: https://docs.example/web\ngit_url: git@github.com:acme/web.git\n',
        'web/monitoring.yaml': 'team: web-team\nrunbook: https://run.example\n',
        'web/smartstack.yaml': 'main: {proxy_port: 20001}\nadmin: {proxy_port: 20002, mode: tcp}\n',
        'web/kubernetes-prod.yaml': 'main: {deploy_group: all}\n',
        'web/kubernetes-dev.yaml': 'main: {deploy_group: later}\n',
        'web/deployments.json': deployed,
      },
      {
        cluster_fqdn_format: '{cluster:s}.example',
        dashboard_links: Object.assign(Object.create(null) as Record<string, never>, {
          prod: { Graphs: 'https://g.example/{cluster}/{service}' },
        }),
      },
    ),
  ).toEqual([
    'Service Name: web',
    'Description: Serves pages',
    'External Link: https://docs.example/web',
    'Monitored By: team web-team',
    'Runbook: https://run.example',
    'Git Repo: git@github.com:acme/web.git',
    'Deployed to the following clusters:',
    ' - prod (http://web.prod.example/)',
    'Smartstack endpoint(s):',
    ' - http://169.254.255.254:20001 (main)',
    ' - tcp://169.254.255.254:20002 (admin)',
    'Dashboard(s):',
    ' - https://g.example/prod/web (Graphs, prod)',
  ]);
});

it('says what is missing instead of leaving the line empty', () => {
  expect(info({ 'web/service.yaml': 'git_url: null\n' })).toEqual([
    'Service Name: web',
    "Description: no 'description' in service.yaml: one sentence that says what the service is for",
    "External Link: no 'external_link' in service.yaml: the address of a page about the service",
    "Monitored By: nobody: no 'team' in monitoring.yaml",
    "Runbook: no 'runbook' in monitoring.yaml",
    'Git Repo: none (git_url: null)',
    'Deployed to the following clusters:',
    ' - N/A: Not deployed to any PaaSTA Clusters',
  ]);
});

it('a check is one line, and the next step below it', () => {
  expect(checkLines(passed('x', 'must', 'it is there'))).toEqual(['✓ it is there']);
  expect(checkLines(failed('x', 'must', 'it is not', 'add it', { file: 'a.yaml', line: 3 }))).toEqual([
    '✗ a.yaml:3: it is not',
    '  next: add it',
  ]);
  expect(checkLines(failed('x', 'should', 'it is not', 'add it'))).toEqual(['! it is not', '  next: add it']);
});
