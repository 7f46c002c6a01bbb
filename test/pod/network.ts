/** Network namespaces joined by a bridge: what a node of Kubernetes gives its pods, without Kubernetes. Linux, root and iproute2. */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';

/** Why no namespaces can be made here; undefined when they can. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'not on Linux';
  if (process.getuid?.() !== 0) return 'not root';
  const name = `portico-probe-${process.pid}`;
  const made = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' });
  if (made.error !== undefined) return 'no iproute2';
  if (made.status !== 0) return `ip netns: ${made.stderr.trim()}`;
  const mount = spawnSync('ip', ['netns', 'exec', name, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { encoding: 'utf8' });
  spawnSync('ip', ['netns', 'del', name]);
  return mount.status === 0 ? undefined : `mount: ${mount.stderr.trim()}`;
}

export interface NetworkHost {
  /** Its namespace. */
  readonly namespace: string;
  readonly address: string;
}

export class Network {
  readonly #id = `ptc${randomInt(36 ** 4).toString(36)}`;
  readonly #namespaces: string[] = [];
  #last = 0;

  /** The namespace of the bridge, with an address of its own: where the kubelet and what else runs on a node is. */
  readonly node: NetworkHost;

  constructor() {
    // Also when nobody gets to say so.
    process.once('exit', () => this.close());
    const namespace = this.#makeNamespace('node');
    this.node = { namespace, address: this.#nextAddress() };
    ip(['-n', namespace, 'link', 'add', 'bridge', 'type', 'bridge']);
    ip(['-n', namespace, 'addr', 'add', `${this.node.address}/24`, 'dev', 'bridge']);
    ip(['-n', namespace, 'link', 'set', 'bridge', 'up']);
  }

  /** Another one on the bridge. */
  add(name: string): NetworkHost {
    const namespace = this.#makeNamespace(name);
    const address = this.#nextAddress();
    const port = `v${this.#last}`;
    ip(['-n', this.node.namespace, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
    ip(['-n', this.node.namespace, 'link', 'set', port, 'master', 'bridge', 'up']);
    ip(['-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
    ip(['-n', namespace, 'link', 'set', 'eth0', 'up']);
    return { namespace, address };
  }

  /** Everything goes, whatever state it is in. What still runs in a namespace keeps it, unseen, until it ends. */
  close(): void {
    for (const namespace of this.#namespaces.splice(0)) spawnSync('ip', ['netns', 'del', namespace]);
  }

  #makeNamespace(name: string): string {
    const namespace = `${this.#id}-${name}`;
    ip(['netns', 'add', namespace]);
    this.#namespaces.push(namespace);
    ip(['-n', namespace, 'link', 'set', 'lo', 'up']);
    return namespace;
  }

  #nextAddress(): string {
    return `10.77.0.${++this.#last}`;
  }
}

function ip(args: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim()}`);
}
