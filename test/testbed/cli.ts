/** `npm run testbed -- up|down|status|doctor|bring`. Exit 1: something is missing or failed; 2: wrong usage; 3: not (whole) up. */
import { readArguments, USAGE } from './args.ts';
import type { Arguments } from './args.ts';
import { bringAll, ensureDocker, inPlainWords, namedContext, startCluster, startRegistry, terminal } from './index.ts';
import { down } from './parts/cluster.ts';
import { downDocker, engineUsers } from './parts/docker.ts';
import { examine } from './parts/doctor.ts';
import { downGit, upGit } from './parts/git-server.ts';
import { downKind } from './parts/kind.ts';
import { knownNames, tidyState } from './parts/places.ts';
import { downRegistry } from './parts/registry.ts';
import { seconds } from './parts/say.ts';
import { describe } from './parts/status.ts';

const log = terminal();
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function up(args: Arguments): Promise<void> {
  const began = Date.now(),
    { name, parts } = args,
    has = (part: string): boolean => (parts as readonly string[]).includes(part),
    hints: string[] = [];
  if (has('kubernetes')) await namedContext(log);
  const docker = has('docker') ? await ensureDocker({ name, log, keep: true }) : undefined;
  if (docker !== undefined) hints.push(`export DOCKER_HOST=${docker.dockerHost} DOCKER_CONFIG=${docker.env['DOCKER_CONFIG'] ?? ''}`);
  const registry = has('registry') ? await startRegistry({ name, log, keep: true }) : undefined;
  if (registry !== undefined)
    hints.push(`registry ${registry.host}, user ${registry.user}; logged in with: export DOCKER_CONFIG=${registry.dockerConfigDir}`);
  if (has('git')) hints.push(await upGit(name, log));
  if (has('kubernetes')) {
    const cluster = await startCluster({
      name,
      keep: true,
      size: args.size,
      fakeNodes: args.fakeNodes,
      log,
      ...(registry && { registry }),
    });
    hints.push(`${cluster.kubectlPath} --kubeconfig ${cluster.kubeconfigPath} get nodes`);
  }
  log(`testbed '${name}' is up after ${seconds(Date.now() - began)}; down: npm run testbed -- down --name ${name}`);
  for (const hint of hints) say(hint);
}

async function downAll(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const ended = [
      await down(name, log),
      await downKind(name, log),
      await downRegistry(name, log),
      await downGit(name, log),
      await downDocker(name, log),
    ];
    tidyState(name);
    if (!ended.includes(true)) log(`testbed '${name}' is not there`);
  }
  const left = knownNames();
  if (left.length > 0) log(`still up: ${left.join(', ')} (down --name NAME, or --all)`);
}

async function doctor(args: Arguments): Promise<number> {
  const findings = await examine(args.size),
    words = { ok: 'ok    ', bring: 'bring ', note: 'note  ', fail: 'FAIL  ' } as const;
  for (const f of findings) say(`${words[f.level]}${f.text}`);
  const failed = findings.filter((f) => f.level === 'fail').length,
    brought = findings.filter((f) => f.level === 'bring').length;
  say(
    failed > 0
      ? `${failed} thing(s) keep size ${args.size} from running here`
      : `size ${args.size} runs here${brought > 0 ? `; \`up\` will bring ${brought} thing(s)` : ''}`,
  );
  return failed > 0 ? 1 : 0;
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 0 || argv.includes('--help') || argv.includes('-h')) {
    say(USAGE);
    return argv.length === 0 ? 2 : 0;
  }
  const args = readArguments(argv);
  if ('problems' in args) {
    for (const p of args.problems) log(p);
    log('usage: npm run testbed -- --help');
    return 2;
  }
  switch (args.command) {
    case 'up':
      await up(args);
      return 0;
    case 'down':
      await downAll(args.all ? [...new Set([...knownNames(), ...engineUsers()])] : [args.name]);
      return 0;
    case 'doctor':
      return doctor(args);
    case 'bring':
      await bringAll(args.size, log);
      log(`everything for size ${args.size} is here`);
      return 0;
    case 'status': {
      const described = await Promise.all((args.all ? knownNames() : [args.name]).map(describe));
      for (const line of described.flatMap((d) => d.lines)) say(line);
      return described.length > 0 && described.every((d) => d.whole) ? 0 : 3;
    }
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  log(inPlainWords(error));
  process.exitCode = 1;
}
