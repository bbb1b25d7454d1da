/** PodDisruptionBudget of an instance. Upstream: `pod_disruption_budget_for_service_instance`, `ensure_pod_disruption_budget`. */
import { percentLeft } from '../bounce/arithmetic.ts';
import type { LabelPrefixes } from '../contract/names.ts';
import { numberOf } from '../contract/values.ts';
import type { KubeObject } from '../objects/types.ts';
import type { InstanceSettings } from '../soa-configs/instance-settings.ts';
import type { SystemConfig } from '../soa-configs/types.ts';
import { selectorLabels } from './labels.ts';
import { textOf } from './values-of.ts';

/** The margin that the instance writes itself, else the system's `pdb_max_unavailable`, else 0 (which blocks node drains, as in PaaSTA). */
export function maxUnavailable(settings: InstanceSettings, system: SystemConfig): number | string {
  const written = settings.config['bounce_margin_factor'];
  if (written !== undefined && written !== null) return `${percentLeft(settings.bounceMarginFactor)}%`;
  const configured = system.values['pdb_max_unavailable'];
  return typeof configured === 'string' ? configured : (numberOf(configured) ?? 0);
}

/** The policy that the instance writes itself, else the system's. */
function evictionPolicy(settings: InstanceSettings, system: SystemConfig): string {
  const written = settings.config['unhealthy_pod_eviction_policy'];
  return written !== undefined && written !== null
    ? settings.unhealthyPodEvictionPolicy
    : (textOf(system.values['unhealthy_pod_eviction_policy']) ?? settings.unhealthyPodEvictionPolicy);
}

/** Rendered for every instance, also for stopped ones. */
export function disruptionBudget(settings: InstanceSettings, system: SystemConfig, prefixes: LabelPrefixes): KubeObject {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: settings.appName, namespace: settings.namespace },
    spec: {
      maxUnavailable: maxUnavailable(settings, system),
      unhealthyPodEvictionPolicy: evictionPolicy(settings, system),
      selector: { matchLabels: selectorLabels(settings, prefixes) },
    },
  };
}
