/** Who may ask the admin, and who may change something. Pure, so that each rule is one row of a test. */
import { isIP } from 'node:net';

export interface Caller {
  /** Address of the socket's peer; `unix` for a unix socket; undefined when the peer has left already, who then gets nothing. */
  readonly remoteAddress: string | undefined;
  /** All values of Host; none is right for HTTP/1.0 only, which the server has checked. */
  readonly host: readonly string[];
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  /** The request says that a proxy passed it on (`forwarded`, `x-forwarded-for` or `via`). */
  readonly proxied: boolean;
}

export interface GuardRules {
  readonly allow_remote_mutations: boolean;
  readonly allowed_hosts: readonly string[];
}

/** Answers why the caller is refused, or undefined. */
export function refusal(caller: Caller, mutates: boolean, rules: GuardRules): string | undefined {
  if (caller.host.length > 1) return 'more than one Host header';
  const host = caller.host[0];
  if (host !== undefined && !isKnownHost(host, rules.allowed_hosts)) {
    // A page whose name was re-bound to a loopback address sends its own name as Host. Probes of Kubernetes send an IP address.
    return `the Host ${JSON.stringify(host.slice(0, 100))} is neither localhost nor an IP address; names are allowed by admin.allowed_hosts`;
  }
  if (!mutates) return undefined;
  if (caller.fetchSite !== undefined && caller.fetchSite !== 'same-origin' && caller.fetchSite !== 'none') {
    return 'a page of another site may not change anything here';
  }
  if (caller.origin !== undefined && caller.origin.toLowerCase() !== `http://${host ?? ''}`.toLowerCase()) {
    return 'a page of another origin may not change anything here';
  }
  if (rules.allow_remote_mutations) return undefined;
  if (!isLoopback(caller.remoteAddress)) {
    return 'changes are accepted from loopback only (kubectl exec or port-forward); admin.allow_remote_mutations opens them to others';
  }
  // Somebody else's request through a proxy in the pod, maybe this one, comes from loopback as well.
  if (caller.proxied) return 'changes are not accepted through a proxy';
  return undefined;
}

function isKnownHost(host: string, allowed: readonly string[]): boolean {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(host);
  if (match === null) return false;
  if (match[1] !== undefined) return isIP(match[1]) === 6;
  const name = match[2]!.toLowerCase().replace(/\.$/, '');
  return name === 'localhost' || isIP(name) === 4 || allowed.includes(name);
}

/** 127.0.0.0/8, ::1, their mapped forms, and unix sockets, whose folder says who may use them. */
function isLoopback(remoteAddress: string | undefined): boolean {
  if (remoteAddress === undefined) return false;
  return remoteAddress === 'unix' || remoteAddress === '::1' || /^(?:::ffff:)?127\./i.test(remoteAddress);
}
