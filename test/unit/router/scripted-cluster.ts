import type { Attempt, Outcome, UpstreamCluster, UpstreamResponse } from '../../../src/cluster/attempt.ts';
import {
  Headers,
  textBody,
  UpstreamError,
  type Body,
  type ResponseFlag,
  type Upgrade,
} from '../../../src/http/index.ts';

/** What a cluster does with one try. */
export type Script = (attempt: Attempt, upgrade?: Upgrade) => UpstreamResponse | Promise<UpstreamResponse>;

/** A cluster that does what the test says, one script a try, and fails the try as the real one does when it is cancelled. */
export class ScriptedCluster implements UpstreamCluster {
  readonly name: string;
  readonly attempts: Attempt[] = [];
  readonly upgrades: Upgrade[] = [];
  readonly #scripts: Script[];

  constructor(scripts: Script[] = [], name = 'app') {
    this.name = name;
    this.#scripts = scripts;
  }

  send(attempt: Attempt, done: Outcome): void {
    this.#play(attempt).then(done, done);
  }

  tunnel(attempt: Attempt, upgrade: Upgrade, done: Outcome): void {
    this.upgrades.push(upgrade);
    this.#play(attempt, upgrade).then(done, done);
  }

  #play(attempt: Attempt, upgrade?: Upgrade): Promise<UpstreamResponse> {
    const script = this.#scripts[this.attempts.length];
    this.attempts.push(attempt);
    attempt.onEndpoint(endpointOf(this.attempts.length));
    return new Promise((resolve, reject) => {
      attempt.cancellation.onCancel((reason) =>
        reject(new UpstreamError(503, 'DC', 'cancelled', { untouched: false, cause: reason })),
      );
      if (script === undefined) return reject(new Error(`no script for try ${this.attempts.length}`));
      void (async () => script(attempt, upgrade))().then(resolve, reject);
    });
  }
}

export function endpointOf(attempt: number): string {
  return `10.0.0.${attempt}:80`;
}

export function respond(
  status: number,
  body: string | Body = `${status}\n`,
  headers: Record<string, string> = {},
): Script {
  return () => ({
    status,
    headers: Headers.of(headers),
    body: typeof body === 'string' ? textBody(body) : body,
    endpoint: '10.0.0.1:80',
  });
}

export function upstreamError(flag: ResponseFlag, details = 'test', untouched = false): UpstreamError {
  return new UpstreamError(flag === 'UT' ? 504 : flag === 'UC' ? 502 : 503, flag, details, { untouched });
}

export function fail(error: UpstreamError): Script {
  return () => {
    throw error;
  };
}

export const connectFailure = (): UpstreamError => upstreamError('UF', 'upstream_connect_failure', true);
export const reset = (): UpstreamError => upstreamError('UC', 'upstream_reset_before_response');
export const staleConnection = (): UpstreamError => upstreamError('UC', 'upstream_reset_before_response{reused}');

/** Never answers; only cancelling ends it. */
export const hang: Script = () => new Promise<UpstreamResponse>(() => {});
