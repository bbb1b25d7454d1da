/** Bounce method → native strategy of a Deployment, percentages in exact arithmetic. Upstream: `get_deployment_strategy_config`. */
import { percentLeft, percentOf } from '../bounce/arithmetic.ts';
import type { InstanceSettings } from '../soa-configs/instance-settings.ts';
import type { Fields } from './values-of.ts';

/** `upthendown` is rendered as crossover's objects: its two workloads are orchestrated from outside (design §5.12). */
export function deploymentStrategy(settings: InstanceSettings): Fields {
  if (settings.bounceMethod === 'downthenup') return { type: 'Recreate' };
  const maxUnavailable = settings.bounceMethod === 'brutal' ? '100%' : `${percentLeft(settings.bounceMarginFactor)}%`;
  return { type: 'RollingUpdate', rollingUpdate: { maxSurge: `${percentOf(settings.bounceOverprovisionFactor)}%`, maxUnavailable } };
}
