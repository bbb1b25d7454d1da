/** Instance + version → objects and their config hash. Pure: the same input gives the same bytes. */
export type {
  BounceMethod,
  DrainSettings,
  LiveState,
  NotRendered,
  PreStop,
  RenderedInstance,
  RenderInput,
  RenderOptions,
} from './types.ts';
export { configHashOf, hashedSpec, secretSignatures } from './config-hash.ts';
export { containerResources, securityContext, sidecarResources } from './resources.ts';
export { deploymentStrategy } from './strategy.ts';
export { imageOf, liveDigest, pinned } from './image.ts';
export { composeInstance, composeJob, isNotRendered, renderInstance, renderJob, type JobOptions } from './render.ts';
export { ANNOTATIONS, HASH_VERSION, OWNERSHIP_LABEL, OWNERSHIP_VALUE } from './marks.ts';
export { cronJobName, renderTronJob, TRON_NAMESPACE, type RenderedTronJob, type TronActionInput, type TronJobInput } from './tron-job.ts';
export { livenessProbe, readinessProbe } from './probes.ts';
export { maxUnavailable } from './disruption-budget.ts';
export { mergeServices, registrationServiceName, type PortOwners } from './registration-services.ts';
export { nodeAffinity, nodeSelector, podAntiAffinity, topologySpread } from './placement.ts';
export { hasSidecar } from './sidecar.ts';
export { preStopHook } from './lifecycle.ts';
export { mayHaveSignatures, neededSecrets, signatureNames, type SecretNeed } from './secrets.ts';
export { limitRange, pullSecretCopies, renderNamespace, roleBindings } from './namespace.ts';
export { systemPullSecrets, type PullSecret } from './pull-secrets.ts';
