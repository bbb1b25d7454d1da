/**
 * deploy.yaml as an ordered pipeline. Rules: `get_pipeline_deploy_group_configs` and `is_deploy_step` in paasta_tools/utils.py; settings of
 * a step inside `parallel` count too (PaaSTA looks at top-level elements only).
 */
import { problem, warning, type Problem } from '../contract/errors.ts';
import { suggestName } from '../contract/near.ts';
import { BUILD_STEPS, isDeployStep } from '../contract/pipeline-words.ts';
import { isMap, type Value, type ValueMap } from '../contract/values.ts';
import { mappingHint, typeName } from './type-name.ts';
import type { Position } from './position.ts';
import type { DeployFile, DeployStep } from './schema-types.ts';
import type { Unchecked } from './settings-types.ts';
import { emptyMap, isTruthy, keysOf } from './yaml-values.ts';

/** Keys that a step may have, and whether anything acts on them here. */
export const STEP_KEYS = [
  'step',
  'parallel',
  'trigger_next_step_manually',
  'display_step_for_confirmation',
  'confirmation_required',
  'disabled',
  'wait_for_deployment',
  'timeout',
  'warn',
  'auto_rollback',
  'auto_certify_delay',
  'auto_abandon_delay',
  'auto_rollback_delay',
  'command',
  'ignore_failure',
  'slack_notify',
  'notify_after_mark',
  'notify_after_good_deploy',
  'notify_after_auto_rollback',
  'notify_after_abort',
  'notify_after_wait',
  'deployment_steps',
  'abandon_above_breakage_pct',
  'complete_below_breakage_pct',
  'prompt_after_abandon',
  'confirm_complete',
  'enable_automated_redeploys',
  'enable_crashloop_auto_rollback',
  'min_restarts_for_crashloop_rollback',
  'crashloop_rollback_percentage_threshold',
  'alertmanager_rollback',
  'alertmanager_rollback_dry_run',
  'alertmanager_poll_interval_s',
  'service_account',
] as const satisfies readonly (keyof DeployStep)[];

export type StepKind = 'build' | 'command' | 'deploy';

export interface PipelineStep {
  /** Name as in the file: build word, `command-…` or deploy group. */
  readonly name: string;
  readonly kind: StepKind;
  /** The step as in the file: timeout, auto_rollback and so on. */
  readonly settings: Unchecked<DeployStep>;
  readonly position: Position;
}

/** One stage of the pipeline: its steps run together; the next stage begins when all are done. */
export interface PipelineStage {
  readonly steps: readonly PipelineStep[];
  /** A person starts what follows (`trigger_next_step_manually` of the element or of a step in it). */
  readonly manualGateAfter: boolean;
  readonly disabled: boolean;
  readonly position: Position;
}

export interface Pipeline {
  readonly stages: readonly PipelineStage[];
  /** Deploy groups in order, parallel blocks flattened, each as often as it is written. */
  readonly deployGroups: readonly string[];
  readonly productionDeployGroup: string | null;
  readonly settings: Unchecked<DeployFile>;
  readonly problems: readonly Problem[];
}

export function stepKind(name: string): StepKind {
  if (isDeployStep(name)) return 'deploy';
  return BUILD_STEPS.includes(name) ? 'build' : 'command';
}

/** Steps that run a program and do not say which. */
export function commandProblems({ stages }: Pick<Pipeline, 'stages'>): readonly Problem[] {
  return stages
    .flatMap(({ steps }) => steps)
    .flatMap(({ name, kind, settings: { command }, position }) =>
      kind !== 'command' || (typeof command === 'string' && command !== '')
        ? []
        : [
            warning('COMMAND_MISSING', `step '${name}' has no command`, {
              ...position,
              hint: "write the program that it runs as 'command'",
            }),
          ],
    );
}

/** Reads the `deploy` mapping of a service. `position` says where a path of it stands. */
export function readPipeline(deploy: Value, position: (path: readonly (string | number)[]) => Position): Pipeline {
  const problems: Problem[] = [];
  const stages: PipelineStage[] = [];
  const wrong = (path: readonly (string | number)[], message: string, hint: string): void => {
    problems.push(problem('DEPLOY_YAML_INVALID', message, { ...position(path), hint }));
  };
  const step = (value: ValueMap, path: readonly (string | number)[]): PipelineStep | undefined => {
    const { step: name }: Unchecked<DeployStep> = value;
    for (const key of keysOf(value)) {
      if (!(STEP_KEYS as readonly string[]).includes(key))
        problems.push(
          warning('UNKNOWN_STEP_KEY', `unknown key '${key}' in a step of the pipeline`, {
            ...position([...path, key]),
            hint: suggestName(key, STEP_KEYS),
          }),
        );
    }
    if (typeof name !== 'string' || name === '') {
      wrong(
        path,
        name === undefined ? 'a step of the pipeline has no name' : `the name of a step must be text, not ${typeName(name)}`,
        "write '- step: <deploy group>'",
      );
      return undefined;
    }
    return { name, kind: stepKind(name), settings: value, position: position(path) };
  };
  if (!isMap(deploy)) {
    if (isTruthy(deploy))
      wrong([], `deploy.yaml must be a mapping, not ${typeName(deploy)}`, mappingHint(deploy) ?? "begin it with 'pipeline:'");
    return { stages, deployGroups: [], productionDeployGroup: null, settings: emptyMap(), problems };
  }
  const settings: Unchecked<DeployFile> = deploy;
  const { pipeline: elements, production_deploy_group: production } = settings;
  if (elements !== undefined && !Array.isArray(elements))
    wrong(['pipeline'], 'pipeline must be a list of steps', "write each step as '- step: <deploy group>'");
  (Array.isArray(elements) ? (elements as readonly Value[]) : []).forEach((element, index) => {
    const path = ['pipeline', index];
    if (!isMap(element)) return wrong(path, `${typeName(element)} is not a step`, "write '- step: <deploy group>'");
    const { trigger_next_step_manually: manual, disabled, parallel }: Unchecked<DeployStep> = element;
    const gate = manual === true;
    if (!isTruthy(parallel)) {
      if (parallel !== undefined && element.step === undefined)
        return wrong([...path, 'parallel'], 'parallel holds no steps', "write '- step: <deploy group>' under it, or remove it");
      const one = step(element, path);
      if (one !== undefined) stages.push({ steps: [one], manualGateAfter: gate, disabled: disabled === true, position: one.position });
      return undefined;
    }
    if (!Array.isArray(parallel))
      return wrong([...path, 'parallel'], 'parallel must be a list of steps', "write '- step: <deploy group>' under it");
    const steps: PipelineStep[] = [];
    (parallel as readonly Value[]).forEach((inner, innerIndex) => {
      const innerPath = [...path, 'parallel', innerIndex];
      if (!isMap(inner)) return wrong(innerPath, `${typeName(inner)} is not a step`, "write '- step: <deploy group>'");
      if (isTruthy(inner.parallel))
        return wrong([...innerPath, 'parallel'], 'a parallel block inside a parallel block', 'list all steps in one block');
      const one = step(inner, innerPath);
      if (one !== undefined) steps.push(one);
      return undefined;
    });
    stages.push({
      steps,
      manualGateAfter: gate || steps.some((s) => s.settings.trigger_next_step_manually === true),
      disabled: disabled === true,
      position: position(path),
    });
    return undefined;
  });
  const deployGroups = stages.flatMap((stage) => stage.steps.filter((s) => s.kind === 'deploy').map((s) => s.name));
  const seen = new Map<string, PipelineStep>();
  for (const one of stages.flatMap((stage) => stage.steps)) {
    const first = seen.get(one.name);
    if (first !== undefined && one.kind === 'deploy')
      problems.push(
        warning('DUPLICATE_STEP', `deploy group '${one.name}' is a step twice (first on line ${first.position.line ?? '?'})`, {
          ...one.position,
          hint: 'the second one marks the same version again: remove it',
        }),
      );
    seen.set(one.name, first ?? one);
  }
  return { stages, deployGroups, productionDeployGroup: typeof production === 'string' ? production : null, settings, problems };
}
