/** A container without a container runtime: a process with a root of its own, which is read-only, a user of its own and the pod's network. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Container, SecurityContext } from '../support/manifests.ts';
import { nodeFlags } from '../../src/cli/node-flags.ts';

const repository = resolve(import.meta.dirname, '../..');

export interface ContainerPlace {
  /** The pod's network namespace. */
  readonly namespace: string;
  /** An empty folder for the root. */
  readonly root: string;
  readonly volumes: ReadonlyMap<string, string>;
  readonly environment: Readonly<Record<string, string>>;
  readonly podSecurity: SecurityContext;
}

export interface RunningContainer {
  readonly name: string;
  readonly process: ChildProcess;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  stdout(): string;
  stderr(): string;
}

export function startContainer(container: Container, place: ContainerPlace): RunningContainer {
  const script = [...mounts(container, place), `exec chroot ${userOf(container, place)} ${place.root} "$@"`].join('\n');
  // `ip netns exec` gives a mount namespace too, so that nobody else sees the mounts, and they go with the process.
  const child = spawn(
    'ip',
    ['netns', 'exec', place.namespace, 'sh', '-ec', script, 'container', ...commandOf(container)],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...imageEnvironment, ...place.environment },
    },
  );
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()));
  return {
    name: container.name,
    process: child,
    // `close` and not `exit`: by then everything that it said has been read.
    ended: new Promise((resolved) => child.once('close', (code, signal) => resolved(code ?? signal ?? -1))),
    stdout: () => said.stdout,
    stderr: () => said.stderr,
  };
}

/** Where the images have what is run in them. */
const imageEnvironment = { PATH: '/usr/local/bin:/image/bin:/usr/sbin:/usr/bin:/sbin:/bin', NODE_ENV: 'production' };

/** Entry point and arguments, as the image and the manifest say. */
function commandOf({ image, command, args = [] }: Container): string[] {
  const name = image.split('/').at(-1)!.split(':')[0];
  if (name === 'portico') return [...(command ?? ['node', ...nodeFlags, '/portico/src/cli.js']), ...args];
  if (name === 'node') return [...(command ?? ['node']), ...args];
  throw new Error(`an image that is not played: ${image}`);
}

function userOf({ securityContext }: Container, { podSecurity }: ContainerPlace): string {
  const { runAsUser, runAsGroup, fsGroup } = { ...podSecurity, ...securityContext };
  if (runAsUser === undefined) throw new Error('the manifest must say the user, since there is no image to ask');
  return `--userspec=${runAsUser}:${runAsGroup ?? runAsUser} --groups=${fsGroup ?? runAsGroup ?? runAsUser}`;
}

function mounts({ volumeMounts = [] }: Container, { root, volumes }: ContainerPlace): string[] {
  const lines: string[] = [];
  const bind = (source: string, target: string, readOnly: boolean) => {
    const path = join(root, target);
    mkdirSync(path, { recursive: true });
    lines.push(`mount --bind '${source}' '${path}'`);
    if (readOnly) lines.push(`mount -o remount,bind,ro '${path}'`);
  };
  lines.push(`mount --bind '${root}' '${root}'`);
  for (const folder of ['/usr', '/bin', '/lib', '/lib64']) bind(folder, folder, true);
  bind('/proc', '/proc', false);
  bind('/dev', '/dev', false);
  bind(repository, '/portico', true);
  bind(dirname(process.execPath), '/image/bin', true);
  for (const { name, mountPath, readOnly } of volumeMounts) bind(volumes.get(name)!, mountPath, readOnly === true);
  lines.push(`mount -o remount,bind,ro '${root}'`);
  return lines;
}
