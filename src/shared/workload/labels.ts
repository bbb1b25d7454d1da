/** Labels and annotations of workloads and pods. Upstream: `format_kubernetes_app`, `get_pod_template_spec`, `get_kubernetes_metadata`. */
import { shaOfImage } from '../contract/image.ts';
import { paastaPrefixed, registrationLabel, type LabelPrefixes } from '../contract/names.ts';
import { pythonJson, pythonText } from '../contract/python-text.ts';
import type { InstanceSettings } from '../soa-configs/instance-settings.ts';
import type { SystemConfig } from '../soa-configs/types.ts';
import { flagOf } from './values-of.ts';

export type Labels = Record<string, string>;

/** Constant of upstream: the team that owns the platform. */
export const OWNER = 'compute_infra_platform_experience';
/** Metrics providers whose pods are scraped on their own address. */
const SCRAPED_DIRECTLY = ['uwsgi', 'gunicorn', 'worker-load'];

export function selectorLabels(settings: InstanceSettings, prefixes: LabelPrefixes): Labels {
  return { [paastaPrefixed('service', prefixes)]: settings.service, [paastaPrefixed('instance', prefixes)]: settings.instance };
}

/** Keys of the two labels that hold the config hash. */
export function configHashKeys(prefixes: LabelPrefixes): readonly [string, string] {
  return [paastaPrefixed('config_sha', prefixes), `${prefixes.company}paasta_config_sha`];
}

function configuredProviders(settings: InstanceSettings): readonly string[] {
  return settings.autoscalingParams.metrics_providers.map((provider) => provider.type);
}

function providersOf(settings: InstanceSettings): readonly string[] {
  return settings.autoscalingEnabled ? configuredProviders(settings) : [];
}

/** Labels that workload and pod template share; the config hash is added when everything else is in place. */
export function workloadLabels(settings: InstanceSettings, prefixes: LabelPrefixes): Labels {
  // An instance with an image of its own (`docker_url`) is labelled with what that image says.
  const sha = settings.dockerUrl === null ? (settings.gitSha ?? '') : shaOfImage(settings.dockerUrl);
  return {
    ...selectorLabels(settings, prefixes),
    [paastaPrefixed('git_sha', prefixes)]: sha,
    ...(settings.imageVersion === null ? {} : { [paastaPrefixed('image_version', prefixes)]: settings.imageVersion }),
    [paastaPrefixed('cluster', prefixes)]: settings.cluster,
    [paastaPrefixed('autoscaled', prefixes)]: String(settings.autoscalingEnabled),
    [`${prefixes.paasta}pool`]: settings.pool,
    [paastaPrefixed('managed', prefixes)]: 'true',
    [`${prefixes.company}paasta_service`]: settings.service,
    [`${prefixes.company}paasta_instance`]: settings.instance,
    [`${prefixes.company}paasta_git_sha`]: sha,
    [paastaPrefixed('owner', prefixes)]: OWNER,
  };
}

/** Label that tells the metrics collectors apart; on workloads and pods, not on Jobs. */
export function shardLabel(settings: InstanceSettings, prefixes: LabelPrefixes): Labels {
  return settings.prometheusShard === null || settings.prometheusShard === ''
    ? {}
    : { [paastaPrefixed('prometheus_shard', prefixes)]: settings.prometheusShard };
}

/** Labels of pods: those of the workload and what routing, scraping and accounting look for. */
export function podLabels(settings: InstanceSettings, system: SystemConfig, prefixes: LabelPrefixes, served: readonly string[]): Labels {
  const labels: Labels = {
    ...workloadLabels(settings, prefixes),
    ...shardLabel(settings, prefixes),
    [paastaPrefixed('deploy_group', prefixes)]: settings.deployGroup ?? '',
  };
  if (settings.mesh.inMesh) labels[paastaPrefixed('weight', prefixes)] = String(settings.weight);
  const registrations = flagOf(system.values['kubernetes_add_registration_labels'], false) ? settings.registrations : served;
  for (const registration of registrations) labels[registrationLabel(registration, prefixes)] = 'true';
  const providers = providersOf(settings);
  if (providers.includes('piscina')) labels[paastaPrefixed('scrape_piscina_prometheus', prefixes)] = 'true';
  if (providers.includes('gunicorn') || providers.includes('worker-load'))
    labels[paastaPrefixed('scrape_gunicorn_prometheus', prefixes)] = 'true';
  if (settings.istio) labels['sidecar.istio.io/inject'] = 'true';
  if (settings.awsLbReadinessGate) labels['elbv2.k8s.aws/pod-readiness-gate-inject'] = 'enabled';
  if (settings.costOwner !== null && settings.costOwner !== '' && flagOf(system.values['enable_cost_owner_label'], false))
    labels[`${prefixes.company}cost_owner`] = settings.costOwner;
  return labels;
}

/** True when the pods need an address that is reachable from outside the cluster's overlay. */
export function needsRoutableIp(settings: InstanceSettings): boolean {
  return (
    settings.routableIp ||
    settings.mesh.inMesh ||
    settings.prometheusPort !== null ||
    providersOf(settings).some((type) => SCRAPED_DIRECTLY.includes(type))
  );
}

export function podAnnotations(settings: InstanceSettings, prefixes: LabelPrefixes, routableIp: boolean): Labels {
  const annotations: Labels = {
    [paastaPrefixed('routable_ip', prefixes)]: String(routableIp),
    'iam.amazonaws.com/role': settings.iamRoleProvider === 'aws' ? '' : settings.iamRole,
  };
  if (settings.mesh.inMesh) annotations['smartstack_registrations'] = pythonJson([...settings.registrations]);
  if (configuredProviders(settings).includes('uwsgi')) annotations['autoscaling'] = 'uwsgi';
  if (settings.prometheusPath !== null && settings.prometheusPath !== '')
    annotations[paastaPrefixed('prometheus_path', prefixes)] = settings.prometheusPath;
  if (settings.prometheusPort !== null) annotations[paastaPrefixed('prometheus_port', prefixes)] = pythonText(settings.prometheusPort);
  return annotations;
}
