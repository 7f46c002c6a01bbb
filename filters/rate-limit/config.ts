import { doc, duration, integer, v } from 'portico';
import { redisUrl } from './redis-address.ts';

const keyPart = v.pipe(
  v.string('must be client_address, route, header:<name> or claim:<name>'),
  v.regex(
    /^(?:client_address|route|header:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|claim:.+)$/,
    'must be client_address, route, header:<name> or claim:<name>',
  ),
);

const redisSchema = v.strictObject({
  url: doc(
    'Where Redis (5 or newer) is: redis://host:6379/0, rediss://… for TLS, or unix:/run/redis.sock. May carry user and password; better give them apart.',
    redisUrl(),
  ),
  username: v.optional(doc('User to log in as; overrides the one in the URL.', v.string())),
  password: v.optional(doc('Password to log in with; overrides the one in the URL.', v.string())),
  trusted_ca: v.optional(
    doc(
      'PEM file of the authorities that may sign the certificate of rediss://; default: those of Node.js.',
      v.string(),
    ),
  ),
  timeout: v.optional(
    doc(
      'Longest time a request waits for a decision of Redis; then on_store_failure applies.',
      v.pipe(duration(), v.minValue(1, 'must be from 1ms to 5s'), v.maxValue(5000, 'must be from 1ms to 5s')),
    ),
    '50ms',
  ),
  key_prefix: v.optional(
    doc(
      'First part of every key in Redis. Instances share their limits when prefix, filter id and route name are the same, so give each service its own.',
      v.pipe(v.string(), v.regex(/^[\w.:-]{1,64}$/, 'must be 1 to 64 letters, digits, _, -, . and :')),
    ),
    'portico:rate-limit',
  ),
});

export const rateLimitSchema = v.strictObject({
  key: v.optional(
    doc(
      'Who shares a bucket: client_address, route, header:<name> or claim:<dotted.name> (of the token that jwt-auth verified), or a list of them combined. Who leaves the header or claim out is limited by client address. A header that clients choose freely limits nobody.',
      v.union(
        [
          keyPart,
          v.pipe(
            v.array(keyPart),
            v.minLength(1, 'must name at least one part'),
            v.maxLength(8, 'must name at most 8 parts'),
          ),
        ],
        'must be client_address, route, header:<name> or claim:<name>, or a list of these',
      ),
    ),
    'client_address',
  ),
  max_tokens: doc('Size of the bucket: the largest burst. One request takes one token.', integer(1, 1_000_000_000)),
  tokens_per_fill: v.optional(
    doc('Tokens that flow into a bucket during each fill_interval, evenly spread over it.', integer(1, 1_000_000)),
    1,
  ),
  fill_interval: v.optional(
    doc(
      'Time in which tokens_per_fill tokens flow in; at least 50ms.',
      v.pipe(duration(), v.minValue(50, 'must be at least 50ms')),
    ),
    '1s',
  ),
  status: v.optional(doc('Status of the answer to a limited request.', integer(400, 599)), 429),
  rate_limit_headers: v.optional(
    doc(
      'Tells clients their limit in RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset, on every answer.',
      v.boolean(),
    ),
    true,
  ),
  ipv6_prefix: v.optional(
    doc(
      'IPv6 clients share a bucket by network of this many bits, for a host can use any address of its /64.',
      integer(16, 128),
    ),
    64,
  ),
  max_keys: v.optional(
    doc(
      'Most buckets kept in memory, at 32 bytes each. Full buckets are forgotten for free; beyond that the one nearest to full is, and counted as evicted.',
      integer(1, 1_000_000),
    ),
    100_000,
  ),
  redis: v.optional(
    doc('Keeps the buckets in Redis, so that several instances share one limit. Default: in memory.', redisSchema),
  ),
  on_store_failure: v.optional(
    doc(
      'When Redis fails or is slow: allow lets the request pass, deny answers 503, local limits in the memory of this instance.',
      v.picklist(['allow', 'deny', 'local'], 'must be allow, deny or local'),
    ),
    'allow',
  ),
});

export type RateLimitConfig = v.InferOutput<typeof rateLimitSchema>;
export type RedisConfig = v.InferOutput<typeof redisSchema>;
