/** `paasta generate-deployments`. Rules: paasta_tools/generate_deployments_for_service.py. */
import { DRY_RUN, GITHUB, gitUrl, ONLY_SERVICE, SOA_DIR, SYSTEM_CONFIG_DIR, type Word } from './word.ts';

export const GENERATE_WORDS: readonly Word[] = [
  {
    name: 'generate-deployments',
    stage: 'generate-deployments',
    plain: true,
    about: 'writes deployments.json of a service, or of all, from the marks in the repositories',
    options: [
      ONLY_SERVICE,
      SOA_DIR,
      gitUrl('repository of the service. Default: git_url of service.yaml'),
      {
        names: ['--legacy-control-branches'],
        input: 'legacy-control-branches',
        help: 'also read the control branches of before 2016, where a deploy group has no mark',
      },
      ...GITHUB,
      SYSTEM_CONFIG_DIR,
      DRY_RUN,
    ],
    load: async () => {
      const [{ main }, { wire }] = await Promise.all([
        import('../generate-deployments/main.ts'),
        import('../generate-deployments/wire.ts'),
      ]);
      return (runtime) => main(runtime, wire(runtime));
    },
  },
];
