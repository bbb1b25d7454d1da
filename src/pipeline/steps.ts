/**
 * The pipeline as a flat, ordered list of steps with what each one waits for: what a workflow can loop over. Rules: PaaSTA's docs on
 * deploy groups; the settings of a step count inside `parallel`, too.
 */
import { problem, warning, type Problem } from '../shared/contract/errors.ts';
import { nearNames } from '../shared/contract/near.ts';
import { BUILD_STEPS } from '../shared/contract/pipeline-words.ts';
import { pythonText, type Json } from '../shared/contract/python-text.ts';
import { Float, isMap, type Value } from '../shared/contract/values.ts';
import { commandProblems, type Pipeline, type PipelineStep, type ServiceConfig, type StepKind } from '../shared/soa-configs/index.ts';

/** One entry of the outputs; the names are what workflows read (`matrix.deploy-group`). */
export interface FlatStep {
  /** Unique: the name, with `#2` behind it when a step is written twice. */
  readonly id: string;
  /** Name in deploy.yaml; of a manual gate `approve-` and the steps that it holds back. */
  readonly step: string;
  readonly kind: StepKind | 'manual';
  /** Empty unless the step is a deploy. */
  readonly 'deploy-group': string;
  /** Position of its stage, from 1; steps of one stage run together. */
  readonly stage: number;
  /** Ids of the steps that must be done before. */
  readonly needs: readonly string[];
  /** A person has to approve before this step begins: it comes right behind a manual gate. */
  readonly manual: boolean;
  readonly disabled: boolean;
  /** `command` of a `command-…` step. */
  readonly command: string;
  /** Duration such as `1800s`; empty when the step sets none. */
  readonly timeout: string;
  /** `ignore_failure` */
  readonly 'continue-on-error': boolean;
  /** All keys of the step as in the file, but `step`. */
  readonly settings: Readonly<Record<string, Json>>;
}

/**
 * Steps in order. A gate (`trigger_next_step_manually`) becomes a step of kind `manual`, of which the next stage has need; the gate of a
 * disabled step still holds. Behind the last stage there is nothing to hold back.
 */
export function flatSteps({ stages }: Pick<Pipeline, 'stages'>): readonly FlatStep[] {
  const flat: FlatStep[] = [];
  const taken = new Set<string>();
  const unique = (name: string): string => {
    let id = name;
    for (let n = 2; taken.has(id); n++) id = `${name}#${n}`;
    taken.add(id);
    return id;
  };
  let before: readonly string[] = [];
  let gate = false;
  stages.forEach((stage, index) => {
    const runs = stage.steps.filter((step) => !isDisabled(stage.disabled, step));
    const manual = gate && runs.length > 0;
    if (manual) {
      const name = `approve-${runs.map((step) => step.name).join('-and-')}`;
      const id = unique(name);
      flat.push({
        id,
        step: name,
        kind: 'manual',
        'deploy-group': '',
        stage: index + 1,
        needs: before,
        manual: true,
        disabled: false,
        command: '',
        timeout: '',
        'continue-on-error': false,
        settings: {},
      });
      before = [id];
      gate = false;
    }
    const needs = before;
    const ids: string[] = [];
    for (const step of stage.steps) {
      const id = unique(step.name);
      const disabled = isDisabled(stage.disabled, step);
      if (!disabled) ids.push(id);
      flat.push(flatStep(step, { id, stage: index + 1, needs, manual, disabled }));
    }
    if (ids.length > 0) before = ids;
    gate ||= stage.manualGateAfter;
  });
  return flat;
}

function isDisabled(stage: boolean, step: PipelineStep): boolean {
  return stage || step.settings.disabled === true;
}

function flatStep(
  { name, kind, settings }: PipelineStep,
  place: Pick<FlatStep, 'id' | 'stage' | 'needs' | 'manual' | 'disabled'>,
): FlatStep {
  const { command, timeout, ignore_failure: ignored } = settings;
  return {
    ...place,
    step: name,
    kind,
    'deploy-group': kind === 'deploy' ? name : '',
    command: typeof command === 'string' ? command : '',
    timeout: typeof timeout === 'number' ? `${timeout}s` : '',
    'continue-on-error': ignored === true,
    settings: Object.fromEntries(
      Object.entries(settings)
        .filter(([key]) => key !== 'step' && key !== 'parallel')
        .map(([key, value]) => [key, jsonOf(value)]),
    ),
  };
}

/** A value of the file as JSON; what JSON cannot say (dates, bytes) as its text. */
function jsonOf(value: Value): Json {
  if (value instanceof Float) return value.value;
  if (typeof value === 'bigint' || value instanceof Date || value instanceof Uint8Array) return pythonText(value);
  if (Array.isArray(value)) return (value as readonly Value[]).map(jsonOf);
  if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, jsonOf(inner)]));
  return value as Json;
}

/** Deploy groups of the steps that run, in order, each once. */
export function deployGroupsOf(steps: readonly FlatStep[]): readonly string[] {
  return [...new Set(steps.filter(({ kind, disabled }) => kind === 'deploy' && !disabled).map(({ step }) => step))];
}

/**
 * What is wrong with the steps beyond their form: words that are neither a build step nor the deploy group of an instance (PaaSTA takes
 * every unknown word for a deploy group, so that a typo marks nothing), and commands without a command.
 */
export function stepProblems(
  { service, instances, incomplete, pipeline }: Pick<ServiceConfig, 'service' | 'instances' | 'incomplete' | 'pipeline'>,
  options: { readonly checkGroups: boolean; readonly allowUnknownGroup: boolean },
): readonly Problem[] {
  const groups = [...new Set(instances.flatMap(({ deployGroup }) => deployGroup ?? []))].sort();
  const unknown = pipeline.stages
    .flatMap(({ steps }) => steps)
    .flatMap(({ name, kind, position }): readonly Problem[] => {
      if (kind !== 'deploy' || !options.checkGroups || incomplete || groups.includes(name)) return [];
      const near = nearNames(name, [...BUILD_STEPS, ...groups]);
      const hint = `${near.length === 0 ? '' : `did you mean ${near.map((one) => `'${one}'`).join(' or ')}? `}deploy groups of ${service}: ${groups.join(', ') || 'none'}; build steps: ${BUILD_STEPS.join(', ')}; a step that runs a program is named command-…`;
      const message = `step '${name}' is taken for a deploy group, as every word that is no build step, but no instance of ${service} has that group`;
      return [
        options.allowUnknownGroup
          ? warning('UNKNOWN_STEP', message, { ...position, hint })
          : problem('UNKNOWN_STEP', message, {
              ...position,
              hint: `${hint}; for a group that no instance uses yet: allow-unknown-group: true`,
            }),
      ];
    });
  return [...commandProblems(pipeline), ...unknown];
}
