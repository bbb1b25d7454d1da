/** An image registry on loopback with a user and a password: Debian's docker-registry over plain HTTP. */
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { machineLock, withLock } from './lock.ts';
import { checkName, makeStateRoot, partState, tidyState } from './places.ts';
import { freePorts } from './ports.ts';
import { launch, recorded, stop, waitFor } from './processes.ts';
import { linkBuildx } from './docker.ts';
import { ensure, fileOf, find } from './programs.ts';
import { must, which } from './run.ts';
import { step, TestbedError } from './say.ts';
import type { Log } from './say.ts';

export interface RegistryRecord {
  /** `127.0.0.1:<port>`: docker and containerd take loopback as plain HTTP without being told. */
  readonly host: string;
  readonly user: string;
  readonly password: string;
  /** For `DOCKER_CONFIG`: a config.json that is logged in there. */
  readonly dockerConfigDir: string;
}

const USER = 'ci';
export const registryDir = (name: string): string => partState(name, 'registry');
const recordFile = (dir: string): string => path.join(dir, 'registry.json');

export function readRegistry(name: string): RegistryRecord | undefined {
  const dir = registryDir(name);
  if (recorded(dir, 'registry') === undefined) return undefined;
  try {
    return JSON.parse(fs.readFileSync(recordFile(dir), 'utf8')) as RegistryRecord;
  } catch {
    return undefined;
  }
}

const BCRYPT_SALT = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** One line for an htpasswd file, hashed with bcrypt by the C library (perl's crypt) or by htpasswd; never in argv. */
async function htpasswdLine(user: string, password: string, log: Log): Promise<string> {
  const perl = await find('perl');
  if ('directory' in perl) {
    // the last of the 22 characters carries only two bits
    const salt = `$2y$05$${[...randomBytes(21)].map((b) => BCRYPT_SALT.charAt(b % BCRYPT_SALT.length)).join('')}u`;
    const hash = await must([fileOf(perl, 'perl'), '-e', 'my ($p, $s) = map { chomp; $_ } <STDIN>; print crypt($p, $s) // "";'], {
      input: `${password}\n${salt}\n`,
    });
    if (hash.startsWith('$2y$05$') && hash.length === 60) return `${user}:${hash}\n`;
    log('  this C library has no bcrypt: trying htpasswd');
  }
  const htpasswd = which('htpasswd');
  if (htpasswd === undefined)
    throw new TestbedError(
      "nothing here can hash the registry's password with bcrypt (perl's crypt, htpasswd)",
      'apt-get install apache2-utils',
    );
  return `${(await must([htpasswd, '-niB', user], { input: password })).trim()}\n`;
}

/** What docker and our own client read to log in. */
export function dockerConfig(registry: { readonly host: string; readonly user: string; readonly password: string }): object {
  return { auths: { [registry.host]: { auth: Buffer.from(`${registry.user}:${registry.password}`).toString('base64') } } };
}

function answers(host: string, user: string, password: string): Promise<boolean> {
  return new Promise((resolve) => {
    http
      .get(`http://${host}/v2/`, { auth: `${user}:${password}`, agent: false }, (r) => {
        r.resume();
        resolve(r.statusCode === 200);
      })
      .on('error', () => {
        resolve(false);
      });
  });
}

/** Starts the registry or reuses the one of this name; images and password stay while it is up. */
export async function upRegistry(options: { readonly name: string; readonly port?: number }, log: Log): Promise<RegistryRecord> {
  const { name } = options,
    dir = registryDir(checkName(name));
  return withLock(
    path.join(makeStateRoot(), 'locks', `${name}.registry`),
    async () => {
      const there = readRegistry(name);
      if (there !== undefined && (await answers(there.host, there.user, there.password))) {
        log(`registry '${name}' is up already: reusing it (${there.host})`);
        await linkBuildx(there.dockerConfigDir);
        return there;
      }
      const program = fileOf(await ensure('registry', log), 'docker-registry');
      return step(
        log,
        `starting an image registry '${name}' with a user and a password`,
        'what push-to-registry pushes to and pods pull from; usually 0.3 s',
        async () => {
          await stop(dir, 'registry');
          fs.rmSync(dir, { recursive: true, force: true });
          fs.mkdirSync(path.join(dir, 'images'), { recursive: true });
          const password = randomBytes(12).toString('hex'),
            dockerConfigDir = path.join(dir, 'docker-config');
          fs.writeFileSync(path.join(dir, 'htpasswd'), await htpasswdLine(USER, password, log), { mode: 0o600 });
          // Until it listens, nobody else may find its port free.
          const host = await withLock(machineLock(), async () => {
            const [port = 0] = options.port === undefined ? await freePorts(1, new Set(), 31_000, 1000) : [options.port];
            const address = `127.0.0.1:${port}`;
            fs.writeFileSync(
              path.join(dir, 'registry.yaml'),
              JSON.stringify({
                version: 0.1,
                log: { level: 'info', accesslog: { disabled: false } },
                storage: { filesystem: { rootdirectory: path.join(dir, 'images') }, delete: { enabled: true } },
                http: { addr: address },
                auth: { htpasswd: { realm: 'paasta-testbed', path: path.join(dir, 'htpasswd') } },
              }),
            );
            await launch(dir, 'registry', { argv: [program, 'serve', path.join(dir, 'registry.yaml')] });
            await waitFor(dir, 'registry', 'the registry', 120_000, () => answers(address, USER, password));
            return address;
          });
          const record: RegistryRecord = { host, user: USER, password, dockerConfigDir };
          fs.mkdirSync(dockerConfigDir, { recursive: true });
          fs.writeFileSync(path.join(dockerConfigDir, 'config.json'), JSON.stringify(dockerConfig(record), null, 1), { mode: 0o600 });
          await linkBuildx(dockerConfigDir);
          fs.writeFileSync(recordFile(dir), JSON.stringify(record), { mode: 0o600 });
          return record;
        },
      );
    },
    log,
  );
}

/** Ends the registry and removes its images. */
export async function downRegistry(name: string, log: Log): Promise<boolean> {
  const dir = registryDir(checkName(name));
  if (!fs.existsSync(dir)) return false;
  await stop(dir, 'registry');
  fs.rmSync(dir, { recursive: true, force: true });
  tidyState(name);
  log(`registry '${name}' is down`);
  return true;
}
