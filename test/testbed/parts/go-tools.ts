/** Programs that are built from a Go module of their own, once for each version: act, actionlint, and the peers of the bench. */
import fs from 'node:fs';
import path from 'node:path';
import { withLock } from './lock.ts';
import { cacheRoot, SOURCES } from './places.ts';
import { ensure, fileOf } from './programs.ts';
import { executable, run } from './run.ts';
import { step, TestbedError } from './say.ts';
import type { Log } from './say.ts';

interface Tool {
  readonly module: string;
  readonly why: string;
  /** Name of the program when it is not the tool's. */
  readonly program?: string;
  /** Where the program keeps the version that it tells. */
  readonly stamp?: string;
}

const TOOLS = {
  act: { module: 'github.com/nektos/act', why: 'runs workflows on this machine; usually 30 s the first time' },
  actionlint: { module: 'github.com/rhysd/actionlint', why: 'checks workflows; usually 10 s the first time' },
  helm: {
    module: 'helm.sh/helm/v4',
    why: 'a peer of the bench; usually 100 s the first time',
    stamp: 'helm.sh/helm/v4/internal/version.version',
  },
  kapp: {
    module: 'carvel.dev/kapp',
    why: 'a peer of the bench; usually 50 s the first time',
    stamp: 'carvel.dev/kapp/pkg/kapp/version.Version',
  },
  'argo-rollouts': {
    module: 'github.com/argoproj/argo-rollouts',
    why: 'a peer of the bench; usually 160 s the first time',
    program: 'rollouts-controller',
  },
} as const satisfies Readonly<Record<string, Tool>>;

export type GoTool = keyof typeof TOOLS;

/** The version that the tool's go.mod asks for. */
export function toolVersion(goMod: string, module: string): string {
  const escaped = module.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const version = new RegExp(`^\\s*(?:require\\s+)?${escaped}\\s+v(\\S+)`, 'm').exec(goMod)?.[1];
  if (version === undefined) throw new Error(`go.mod does not require ${module}`);
  return version;
}

/** The version of a tool that its go.mod pins. */
export function pinnedVersion(tool: GoTool): string {
  return toolVersion(fs.readFileSync(path.join(SOURCES, tool, 'go.mod'), 'utf8'), TOOLS[tool].module);
}

/** Directory of the sources of a tool's module, for the files that it ships beside the program. */
export async function moduleDirectory(tool: GoTool, log: Log): Promise<string> {
  const go = fileOf(await ensure('go', log), 'go');
  const ran = await run([go, 'list', '-m', '-f', '{{.Dir}}', TOOLS[tool].module], {
    cwd: path.join(SOURCES, tool),
    env: { GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly', GOWORK: 'off', GOROOT: undefined },
  });
  if (ran.exitCode !== 0 || ran.stdout.trim() === '')
    throw new TestbedError(`the sources of ${TOOLS[tool].module} are not to be had: ${ran.stderr.trim()}`);
  return ran.stdout.trim();
}

/** Finds the tool in the cache or builds it (one builder at a time), bringing Go when it is missing. */
export async function ensureGoTool(tool: GoTool, log: Log): Promise<string> {
  const { module, why, program = tool, stamp = 'main.version' }: Tool = TOOLS[tool],
    source = path.join(SOURCES, tool);
  const version = toolVersion(fs.readFileSync(path.join(source, 'go.mod'), 'utf8'), module);
  const home = path.join(cacheRoot(), tool),
    target = path.join(home, version, 'bin', program);
  if (executable(target)) return target;
  const go = fileOf(await ensure('go', log), 'go');
  fs.mkdirSync(home, { recursive: true });
  return withLock(
    path.join(home, '.lock'),
    () =>
      step(log, `building ${tool} ${version}`, why, async () => {
        if (executable(target)) return target;
        const work = fs.mkdtempSync(path.join(home, '.building-'));
        try {
          const env = { CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly', GOWORK: 'off', GOROOT: undefined };
          const ran = await run(
            [go, 'build', '-trimpath', '-ldflags', `-s -w -X ${stamp}=${version}`, '-o', `${work}${path.sep}`, 'tool'],
            { cwd: source, env },
          );
          if (ran.exitCode !== 0)
            throw new TestbedError(
              `building ${tool} ${version} failed:\n${ran.stderr.trimEnd().split('\n').slice(-10).join('\n')}`,
              `by hand: cd ${source} && ${go} build -o /tmp/ tool`,
            );
          fs.mkdirSync(path.dirname(target), { recursive: true });
          fs.renameSync(path.join(work, program), target);
          return target;
        } finally {
          fs.rmSync(work, { recursive: true, force: true });
        }
      }),
    log,
  );
}
