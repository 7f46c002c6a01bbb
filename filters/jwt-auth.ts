import { defineFilter, type Exchange, type FilterContext, type LocalReply, type Request } from 'portico';
import type { JwtClaims } from './jwt-auth/claims.ts';
import { headerStripper } from './jwt-auth/claim-headers.ts';
import { jwtClaims } from './jwt-auth/claims-note.ts';
import { jwtAuthSchema, type JwtAuthConfig } from './jwt-auth/config.ts';
import { Provider, type ProviderStats } from './jwt-auth/provider.ts';
import { noRuleReply, refusalReply, tellingRefusal, type Refusal } from './jwt-auth/refusal.ts';
import { compileRules } from './jwt-auth/rules.ts';
import { ambiguous } from './jwt-auth/token-source.ts';

export type { JwtClaims } from './jwt-auth/claims.ts';
export { jwtClaims } from './jwt-auth/claims-note.ts';

export default defineFilter({
  doc: 'Lets requests pass that carry a good JSON Web Token (RFC 7519, RFC 8725), and tells the app its claims.',
  config: jwtAuthSchema,
  stats: {
    allowed: 'Requests that passed with a good token.',
    anonymous: 'Requests that passed without a token, because their rule lets them.',
    denied: 'Requests refused, for whatever reason.',
    missing: 'Requests refused because they had no token.',
    unavailable: 'Requests refused because there were no keys to check their token with.',
    cache_hits: 'Tokens that were known to be good.',
    cache_misses: 'Tokens that had to be verified.',
    claims_dropped: 'Claims that could not be a header value and were left out.',
    jwks_fetches: 'Fetches of key sets.',
    jwks_fetch_failures: 'Fetches of key sets that failed or gave no usable set.',
    jwks_stale: {
      type: 'gauge',
      doc: 'Providers whose keys are used beyond their time because they cannot be fetched.',
    },
  },
  async create(config, context) {
    const { stats } = context;
    const providers = await createProviders(config, context, {
      cacheHit: () => stats.cache_hits.add(),
      cacheMiss: () => stats.cache_misses.add(),
      claimsDropped: (number) => stats.claims_dropped.add(number),
      fetched: () => stats.jwks_fetches.add(),
      fetchFailed: () => stats.jwks_fetch_failures.add(),
      stale: (change) => stats.jwks_stale.add(change),
    });
    const requirementOf = compileRules(config.rules, providers);
    const strip = headerStripper(Object.values(config.providers).flatMap(headersOf));

    function accept(exchange: Exchange, request: Request, accepted: Accepted): void {
      stats.allowed.add();
      accepted.provider.apply(accepted.verified, accepted.token, request);
      exchange.set(jwtClaims, accepted.verified.claims);
    }

    function refuse(refusal: Refusal): LocalReply {
      stats.denied.add();
      if (refusal.kind === 'unavailable') stats.unavailable.add();
      else if (refusal.reason === 'token_missing') stats.missing.add();
      return refusalReply(refusal, config.realm);
    }

    async function verifyAny(
      candidates: readonly Candidate[],
      request: Request,
      exchange: Exchange,
    ): Promise<LocalReply | undefined> {
      let refusal: Refusal | undefined;
      for (const { provider, token } of candidates) {
        const verified = await provider.verify(token);
        if ('claims' in verified) return void accept(exchange, request, { provider, token, verified });
        refusal = tellingRefusal(refusal, verified);
      }
      return refuse(refusal!);
    }

    for (const provider of providers.values()) provider.start();
    return {
      onRequest(request, exchange) {
        // Before anything else, and also where no token is asked for: only this filter may say who asks.
        strip(request.headers);
        if (config.bypass_cors_preflight && isPreflight(request)) return;
        const requirement = requirementOf(request);
        if (requirement === undefined) {
          stats.denied.add();
          return noRuleReply();
        }
        if (requirement.providers.length === 0) {
          stats.anonymous.add();
          return;
        }
        let candidates: Candidate[] | undefined;
        for (const provider of requirement.providers) {
          const token = provider.tokenIn(request);
          if (token === undefined) continue;
          if (token === ambiguous) return refuse({ kind: 'denied', reason: 'token_ambiguous' });
          const verified = provider.remembered(token);
          if (verified !== undefined) return accept(exchange, request, { provider, token, verified });
          (candidates ??= []).push({ provider, token });
        }
        if (candidates !== undefined) return verifyAny(candidates, request, exchange);
        if (!requirement.allowMissing) return refuse({ kind: 'denied', reason: 'token_missing' });
        stats.anonymous.add();
      },
      close() {
        for (const provider of providers.values()) provider.close();
      },
    };
  },
});

interface Candidate {
  readonly provider: Provider;
  readonly token: string;
}

interface Accepted extends Candidate {
  readonly verified: Extract<Awaited<ReturnType<Provider['verify']>>, { claims: JwtClaims }>;
}

/** @throws Error that tells all faults, one a line */
async function createProviders(
  config: JwtAuthConfig,
  context: FilterContext,
  stats: ProviderStats,
): Promise<ReadonlyMap<string, Provider>> {
  const providers = new Map<string, Provider>();
  const faults: string[] = [];
  for (const [name, provider] of Object.entries(config.providers)) {
    try {
      refuseReservedHeaders(config, name);
      providers.set(name, await Provider.create(name, provider, context, stats));
    } catch (error) {
      faults.push(`providers.${name}.${(error as Error).message}`);
    }
  }
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return providers;
}

/** Headers of the connection and its framing, and those that say where a request goes. */
const reserved = [
  'connection',
  'content-length',
  'cookie',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** @throws Error when claims would be written where tokens are read, or into a header that is not the app's */
function refuseReservedHeaders(config: JwtAuthConfig, name: string): void {
  const read = Object.values(config.providers).flatMap((provider) => {
    const named = provider.from_headers.map((header) => header.name);
    return named.length + provider.from_cookies.length + provider.from_params.length > 0 ? named : ['authorization'];
  });
  const written = headersOf(config.providers[name]!);
  for (const header of written) {
    if (reserved.includes(header))
      throw new Error(`claim_to_headers: ${header} cannot carry claims; choose another header`);
    if (read.includes(header))
      throw new Error(`claim_to_headers: ${header} is where tokens are looked for; choose another header`);
  }
  const twice = written.find((header, index) => written.indexOf(header) !== index);
  if (twice !== undefined) throw new Error(`claim_to_headers: ${twice} is given twice`);
}

function headersOf(provider: JwtAuthConfig['providers'][string]): string[] {
  const headers = provider.claim_to_headers.map((one) => one.header_name);
  return provider.forward_payload_header === undefined ? headers : [...headers, provider.forward_payload_header];
}

/** The Fetch standard, §3.2.2. */
function isPreflight(request: Request): boolean {
  return (
    request.method === 'OPTIONS' &&
    request.headers.has('origin') &&
    request.headers.has('access-control-request-method')
  );
}
