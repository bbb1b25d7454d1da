/** Words of deploy.yaml that are build steps of the pipeline, not deploy groups. Rule: `is_deploy_step`. */

export const BUILD_STEPS: readonly string[] = ['itest', 'itest-and-push-to-registry', 'push-to-registry', 'security-check'];

/** True when the step names a deploy group: neither a build word nor `command-…`. */
export function isDeployStep(step: string): boolean {
  return !BUILD_STEPS.includes(step) && !step.startsWith('command-');
}
