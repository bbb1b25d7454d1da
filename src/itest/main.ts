/**
 * Builds and tests the image of a service through its Makefile. Rules: `paasta_itest` of paasta_tools/cli/cmds/itest.py,
 * `paasta_cook_image` of cook_image.py. Beyond them: the timeout ends everything that make started, a tag of an earlier build
 * cannot pass, and the commit is compared with the checkout.
 */
import { constants } from 'node:os';
import { relative, resolve } from 'node:path';
import { formatDuration } from '../shared/contract/durations.ts';
import { CancelledError, problem, UserError, warning, type Problem } from '../shared/contract/errors.ts';
import { dockerImage, imageReference } from '../shared/contract/image.ts';
import type { Runtime, TreeReader } from '../shared/contract/ports.ts';
import type { Docker, DockerImage } from '../shared/docker/index.ts';
import type { Run, RunResult } from '../shared/process/index.ts';
import { itestSummary } from '../shared/report/itest-summary.ts';
import { currentCommit, currentService, requireService, uncommittedFiles } from '../shared/runtime/checkout.ts';
import { loadSoaConfigs, loadSystemConfig, registryAddress } from '../shared/soa-configs/index.ts';
import { inRepository, placing } from '../shared/runtime/placing.ts';
import { readItestInputs, type ItestInputs } from './inputs.ts';
import { failedRecipe, probeTarget, type Probe } from './makefile.ts';
import { writeOutputs } from './outputs.ts';

/** All that itest needs of the outside. */
export interface ItestDependencies {
  readonly run: Run;
  readonly docker: Docker;
  /** A directory, relative to that of the run; it need not exist. */
  readonly tree: (path: string) => TreeReader;
}

/** Lines of make's output that the summary repeats. */
const TAIL = 30;
/** What timeout(1) says. PaaSTA: 247, the accident of a killed child. */
const TIMEOUT_EXIT = 124;

export async function main(runtime: Runtime, dependencies: ItestDependencies): Promise<void> {
  requirePlatform(runtime);
  const inputs = readItestInputs(runtime);
  const directory = resolve(runtime.workingDirectory, inputs.workingDirectory);
  const env = Object.fromEntries(Object.entries(runtime.env).filter(([name]) => !name.startsWith('INPUT_')));
  const checkout = dependencies.tree(directory);
  const probe = await placing(runtime, [checkout], () => probeTarget(dependencies.run, checkout, inputs.target, env, runtime.signal));
  probe.warnings.forEach((found) => {
    runtime.log.problem(inRepository(found, directory, runtime));
  });
  if (inputs.target === 'test') await test(runtime, dependencies, inputs, directory, env);
  else await build(runtime, dependencies, inputs, directory, env, probe);
}

/** `make test`: no image, so neither a registry nor an engine is needed. */
async function test(runtime: Runtime, { run }: ItestDependencies, inputs: ItestInputs, directory: string, env: Env): Promise<void> {
  if (inputs.dryRun) {
    runtime.log.info('dry run: would run make test');
    return;
  }
  const result = await make(runtime, run, inputs, directory, env);
  writeOutputs(runtime, { duration: result.duration });
  await runtime.addSummary(
    itestSummary({ target: 'test', result: outcome(result), duration: result.duration, tail: result.code === 0 ? [] : tailOf(result) }),
  );
  requireSuccess(runtime, result, inputs, directory);
}

async function build(
  runtime: Runtime,
  dependencies: ItestDependencies,
  inputs: ItestInputs,
  directory: string,
  env: Env,
  probe: Probe,
): Promise<void> {
  const { run, docker } = dependencies;
  const soaConfigs = dependencies.tree(inputs.soaDir);
  const service = inputs.service ?? (await currentService(runtime, run, soaConfigs));
  requireService(service, soaConfigs);
  const sha = await commitOf(runtime, run, inputs, directory);
  const dockerTag = imageReference(
    await registryOf(runtime, dependencies, inputs, service, soaConfigs),
    dockerImage(service, { sha, imageVersion: inputs.imageVersion }),
  );
  writeOutputs(runtime, { dockerTag });
  runtime.log.info(`DOCKER_TAG=${dockerTag}`);
  if (inputs.dryRun) {
    runtime.log.info(`dry run: would remove the tag, run make ${inputs.target} and require the image afterwards`);
    return;
  }

  const engine = await docker.requireEngine();
  runtime.log.debug(`docker engine ${engine}`);
  // PaaSTA accepts an image that an earlier build left behind. Without the tag, only this build can have made it; a build
  // whose every step is cached sets the tag again.
  const earlier = await docker.inspect(dockerTag);
  if (earlier !== undefined) await docker.untag(dockerTag);

  const result = await make(runtime, run, inputs, directory, { ...env, DOCKER_TAG: dockerTag });
  const image = result.code === 0 ? await docker.inspect(dockerTag) : undefined;
  writeOutputs(runtime, { imageId: image?.id, duration: result.duration });
  await runtime.addSummary(
    itestSummary({
      target: inputs.target,
      service,
      version: { sha, imageVersion: inputs.imageVersion },
      dockerTag,
      imageId: image?.id,
      duration: result.duration,
      result: result.code === 0 && image === undefined ? 'no image' : outcome(result),
      tail: result.code === 0 ? [] : tailOf(result),
    }),
  );
  requireSuccess(runtime, result, inputs, directory);
  if (image === undefined)
    throw new UserError(inRepository(await missingImage(docker, dockerTag, inputs.target, probe), directory, runtime));
  runtime.log.info(said(image, earlier, dockerTag, result.duration));
}

type Env = Readonly<Record<string, string | undefined>>;

function said(image: DockerImage, earlier: DockerImage | undefined, dockerTag: string, duration: number): string {
  const cached = earlier?.id === image.id ? ' (the same image as before: every step was cached)' : '';
  return `built ${dockerTag} in ${formatDuration(duration)}\nimage ${image.id}${cached}`;
}

/** Runners for Windows and macOS have no docker engine for Linux images; a person's Mac may well have one. */
function requirePlatform(runtime: Runtime): void {
  const job = runtime.env['GITHUB_ACTIONS'] === 'true';
  if (runtime.platform === 'linux' || (runtime.platform === 'darwin' && !job)) return;
  const name = runtime.platform === 'win32' ? 'Windows' : runtime.platform === 'darwin' ? 'macOS' : runtime.platform;
  throw new UserError(
    problem('UNSUPPORTED_PLATFORM', `${runtime.name} does not run on ${name}: it builds Linux images with make and docker`, {
      hint: job ? 'use runs-on: ubuntu-latest' : 'run it on Linux',
    }),
  );
}

/** The commit that the tag names: the input, which should be what is checked out, else HEAD. */
async function commitOf(runtime: Runtime, run: Run, inputs: ItestInputs, directory: string): Promise<string> {
  const head = await currentCommit(run, directory).catch((error: unknown) => {
    if (inputs.commit === undefined || !(error instanceof UserError)) throw error;
    runtime.log.problem(
      warning('NO_CHECKOUT', `the commit ${inputs.commit} cannot be compared with the checkout: ${error.problems[0]?.message ?? ''}`, {
        input: 'commit',
      }),
    );
    return undefined;
  });
  if (head === undefined) return inputs.commit as string;
  if (inputs.commit !== undefined && inputs.commit !== head) {
    runtime.log.problem(
      warning('COMMIT_NOT_CHECKED_OUT', `the image will be named after ${inputs.commit}, but ${head} is checked out`, {
        input: 'commit',
        hint: `check out ${inputs.commit}, or leave 'commit' out`,
      }),
    );
  }
  const own = [inputs.soaDir, inputs.systemConfigDir]
    .map((path) => relative(directory, resolve(runtime.workingDirectory, path)))
    .filter((path) => path !== '' && !path.startsWith('..'));
  const changed = await uncommittedFiles(run, directory, own);
  if (changed.length > 0) {
    const some = `${changed.slice(0, 5).join(', ')}${changed.length > 5 ? ', …' : ''}`;
    runtime.log.problem(
      warning('UNCOMMITTED_CHANGES', `the checkout differs from ${head.slice(0, 8)}: ${some}`, {
        hint: 'commit the changes: the image will contain them, but is named after the commit',
      }),
    );
  }
  return inputs.commit ?? head;
}

async function registryOf(
  runtime: Runtime,
  { tree }: ItestDependencies,
  inputs: ItestInputs,
  service: string,
  soaConfigs: TreeReader,
): Promise<string> {
  if (inputs.registry !== undefined) return inputs.registry;
  const systemConfig = tree(inputs.systemConfigDir);
  return placing(runtime, [soaConfigs, systemConfig], () => {
    const system = loadSystemConfig(systemConfig);
    return registryAddress(undefined, loadSoaConfigs(soaConfigs, system).load(service), system);
  });
}

/** Runs make with its output in a group of the log. Throws only when it was cancelled. */
async function make(runtime: Runtime, run: Run, inputs: ItestInputs, directory: string, env: Env): Promise<RunResult> {
  const result = await runtime.log.group(`make ${inputs.target}`, () =>
    run(['make', inputs.target], {
      cwd: directory,
      env,
      timeout: inputs.timeout,
      signal: runtime.signal,
      maxOutput: 1024 * 1024,
      onLine: (line) => {
        runtime.log.info(line);
      },
    }),
  );
  if (result.cancelled) {
    writeOutputs(runtime, { duration: result.duration });
    throw new CancelledError();
  }
  return result;
}

function outcome(result: RunResult): 'passed' | 'failed' | 'timed out' {
  return result.timedOut ? 'timed out' : result.code === 0 ? 'passed' : 'failed';
}

/** The end of what make said; its own verdict is on standard error. */
function tailOf(result: RunResult): readonly string[] {
  const last = (text: string): readonly string[] =>
    text
      .trimEnd()
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(-TAIL);
  return [...last(result.stdout), ...last(result.stderr)];
}

function requireSuccess(runtime: Runtime, result: RunResult, inputs: ItestInputs, directory: string): void {
  if (result.timedOut) {
    throw new UserError(
      problem(
        'ITEST_TIMEOUT',
        `make ${inputs.target} took longer than ${formatDuration(inputs.timeout)} and was ended with everything that it started`,
        { input: 'timeout', hint: "give 'timeout' a larger value, or find out what hangs in the output above" },
      ),
      { exitCode: TIMEOUT_EXIT },
    );
  }
  if (result.code === 0) return;
  const recipe = failedRecipe(result.stderr);
  const how = result.signal === null ? `with exit code ${String(result.code)}` : `by ${result.signal}`;
  const where = recipe === undefined ? {} : { file: recipe.file, line: recipe.line };
  throw new UserError(
    inRepository(
      problem('MAKE_FAILED', `make ${inputs.target} ended ${how}${recipe === undefined ? '' : ` in the target '${recipe.target}'`}`, {
        ...where,
        hint: `its output is in the group 'make ${inputs.target}' above`,
      }),
      directory,
      runtime,
    ),
    { exitCode: result.signal === null ? result.code : 128 + constants.signals[result.signal] },
  );
}

/** make succeeded but left no image of that name: say the usual reason that applies. */
async function missingImage(docker: Docker, dockerTag: string, target: string, probe: Probe): Promise<Problem> {
  const message = `make ${target} succeeded, but there is no image ${dockerTag}`;
  if (probe.upToDate)
    return problem('IMAGE_NOT_TAGGED', message, {
      file: probe.makefile,
      hint: `make ran nothing: add '.PHONY: ${target}' to the ${probe.makefile}`,
    });
  const builder = await docker.builder();
  if (builder !== undefined && !builder.loads) {
    return problem(
      'IMAGE_NOT_LOADED',
      `${message}: the buildx builder '${builder.name}' (driver ${builder.driver}) keeps what it builds to itself`,
      {
        file: probe.makefile,
        hint: 'add --load to docker build (or docker buildx build), or select the builder of the engine with docker buildx use default',
      },
    );
  }
  return problem('IMAGE_NOT_TAGGED', message, {
    file: probe.makefile,
    hint: `the target '${target}' has to tag what it builds: docker build -t $(DOCKER_TAG) .`,
  });
}
