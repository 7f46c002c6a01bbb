import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { describeFaults, InvalidConfig, loadConfig, parseConfig } from '../../../src/config/index.ts';
import { ConfigError } from '../../../src/options/index.ts';

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'portico-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const parse = (text: string, environment: Record<string, string> = {}) =>
  parseConfig(text, 'test/config/faults/here.yaml', { environment });

async function linesOf(load: Promise<unknown>): Promise<readonly string[]> {
  const error = await load.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(InvalidConfig);
  return (error as InvalidConfig).lines;
}

describe('loadConfig', () => {
  it('is frozen all the way down', async () => {
    const { config, filters } = await parse('clusters: [{ name: app, endpoints: [127.0.0.1:1] }]');
    expect(() => {
      (config.clusters[0] as { name: string }).name = 'other';
    }).toThrow(TypeError);
    expect(Object.isFrozen(config.clusters[0]?.endpoints[0]?.address)).toBe(true);
    expect(Object.isFrozen(filters[0]?.config)).toBe(true);
  });

  it('takes a byte order mark and carriage returns, and the positions are still right', async () => {
    const folder = scratch();
    writeFileSync(join(folder, 'a.yaml'), '\uFEFFlog:\r\n  level: loud\r\n');
    const file = join(folder, 'a.yaml');
    expect(await linesOf(loadConfig(file))).toEqual([
      `${file}:2:10 log.level: must be one of debug, info, warn, error, off, not "loud"`,
    ]);
  });

  it.each<[string, (file: string) => void, string]>([
    ['is missing', () => undefined, 'does not exist'],
    ['is a folder', (file) => mkdirSync(file), 'is a folder, not a file'],
    ['is larger than 1 MiB', (file) => writeFileSync(file, '#'.repeat(1024 * 1024 + 1)), 'is larger than 1 MiB'],
    ['is UTF-16', (file) => writeFileSync(file, Buffer.from('\uFEFFlog: {}', 'utf16le')), 'is not UTF-8 text'],
  ])('says so when the file %s', async (_, make, expected) => {
    const file = join(scratch(), 'portico.yaml');
    make(file);
    expect((await linesOf(loadConfig(file)))[0]).toMatch(new RegExp(`^${file}(?::1:1)? ${expected}$`));
  });

  it('reads 1 MiB', async () => {
    const file = join(scratch(), 'portico.yaml');
    writeFileSync(file, '#'.repeat(1024 * 1024));
    await expect(loadConfig(file)).resolves.toMatchObject({ file });
  });

  it('knows the hash of the file', async () => {
    const file = join(scratch(), 'portico.yaml');
    writeFileSync(file, 'log: {}\n');
    // sha256sum
    expect((await loadConfig(file)).hash).toBe('9208c3bfd0edee108bde998a08ee7ae0c994764b94deda1aa057c12ec4f8e4d6');
  });

  it('puts variables and files in', async () => {
    const folder = scratch();
    const file = join(folder, 'portico.yaml');
    writeFileSync(join(folder, 'address'), '  127.0.0.1:7000\n');
    writeFileSync(join(folder, 'level'), 'warn');
    writeFileSync(
      file,
      `
admin: { address: "file:./address", max_connections: "\${MOST}" }
log: { level: "file:\${FOLDER}/level" }
clusters: [{ name: "\${NAME}", endpoints: ["127.0.0.1:\${PORT:-81}"] }]
virtual_hosts:
  - { name: app, domains: ['*'], routes: [{ direct_response: { status: 200, body: "5$$ or $\${NAME}" } }] }
`,
    );
    const { config } = await loadConfig(file, { environment: { MOST: '7', NAME: 'app', FOLDER: folder } });
    expect(config.admin).toMatchObject({ address: { host: '127.0.0.1', port: 7000 }, max_connections: 7 });
    expect(config.log.level).toBe('warn');
    expect(config.clusters[0]).toMatchObject({ name: 'app', endpoints: [{ address: { port: 81 } }] });
    expect(config.virtual_hosts[0]?.routes[0]?.direct_response?.body).toBe('5$ or ${NAME}');
  });

  it('does not look into what a variable or a file put in', async () => {
    const lines = await linesOf(parse('log: { level: "${A}" }', { A: 'file:/etc/hostname' }));
    expect(lines).toEqual([expect.stringContaining('log.level: must be one of')]);
  });

  it('never shows what came from a variable or a file', async () => {
    const lines = await linesOf(
      parse('log: { level: "${A}" }\ndrain: { drain_time: "${A}" }', { A: 'hunter2hunter2' }),
    );
    expect(lines).toHaveLength(2);
    expect(lines.join('\n')).not.toContain('hunter2');
  });

  it('gives filters with their checked options, and the overrides of routes', async () => {
    const loaded = await parse(`
http_filters:
  - name: ../filters/teapot.ts
    id: pot
    mode: shadow
    disabled: true
    config: { brew_time: 3m }
virtual_hosts:
  - name: app
    domains: ['*']
    routes:
      - route: { cluster: app }
      - route: { cluster: app }
        per_filter_config: { pot: { chance: 0.5, disabled: false } }
      - route: { cluster: app }
        per_filter_config: { pot: { disabled: true } }
`);
    expect(loaded.filters).toMatchObject([
      {
        id: 'pot',
        name: 'teapot',
        mode: 'shadow',
        disabled: true,
        path: ['http_filters', 0],
        config: { brew_time: 180_000, chance: 1 },
      },
    ]);
    expect(loaded.overridesOf(0, 0).size).toBe(0);
    expect(loaded.overridesOf(0, 1).get('pot')).toMatchObject({
      disabled: false,
      config: { brew_time: 180_000, chance: 0.5 },
    });
    expect(loaded.overridesOf(0, 2).get('pot')).toMatchObject({ disabled: true, config: undefined });
    expect(loaded.overridesOf(7, 7).size).toBe(0);
  });

  it('does not call overrides of a faulty filter unknown', async () => {
    const lines = await linesOf(
      parse(`
http_filters: [{ name: no-such-filter }]
virtual_hosts:
  - { name: app, domains: ['*'], routes: [{ route: { cluster: app }, per_filter_config: { no-such-filter: { a: 1 } } }] }
`),
    );
    expect(lines).toEqual([expect.stringContaining('http_filters[0].name: there is no filter "no-such-filter"')]);
  });
});

describe('describeFaults', () => {
  it('places faults that were found later, and conceals secrets in them', async () => {
    const loaded = await parse('clusters:\n  - name: app\n    endpoints: ["${APP}"]\n    tls: {}\n', {
      APP: 'app.example:8443',
    });
    const error = new ConfigError([
      { path: ['virtual_hosts', 0, 'routes'], message: 'no such cluster' },
      { path: ['clusters', 0, 'tls', 'ca'], message: 'cannot be read' },
      { path: ['clusters', 0, 'endpoints', 0], message: 'cannot find app.example:8443' },
    ]);
    expect(describeFaults(error, loaded)).toEqual([
      'test/config/faults/here.yaml:1:1 virtual_hosts[0].routes: no such cluster',
      'test/config/faults/here.yaml:3:17 clusters[0].endpoints[0]: cannot find ${APP}',
      'test/config/faults/here.yaml:4:5 clusters[0].tls.ca: cannot be read',
    ]);
    expect(loaded.locate(['clusters', 0, 'name'])).toEqual({ line: 2, column: 11 });
  });
});

describe('dump', () => {
  const secrets = `
log: { level: "\${LEVEL}" }
listeners:
  - name: https
    address: 127.0.0.1:0
    tls: { certificates: [{ certificate_chain: a.crt, private_key: a.key, passphrase: sesame1 }] }
http_filters:
  - name: ../filters/teapot.ts
    config:
      password: sesame2
      keys: [{ kty: oct, k: sesame3 }, "-----BEGIN PRIVATE KEY-----sesame4", '{"keys":[{"k":"sesame5"}]}']
      store: redis://portico:sesame6@127.0.0.1:6379/0
  - name: headers
    config: { request: { set: { authorization: Basic sesame7, x-tenant: public } } }
`;

  it('has no secrets', async () => {
    const text = JSON.stringify((await parse(secrets, { LEVEL: 'error' })).dump());
    expect(text).not.toMatch(/sesame|error/);
    expect(text.match(/\[redacted\]/g)).toHaveLength(8);
    expect(text).toContain('redis://[redacted]@127.0.0.1:6379/0');
    expect(text).toContain('a.key');
    expect(text).toContain('"x-tenant":"public"');
  });

  it('has the defaults, those of filters too, as a person writes them', async () => {
    const dump = (await parse(secrets, { LEVEL: 'error' })).dump();
    expect(dump).toMatchObject({
      admin: { address: '127.0.0.1:9090' },
      listeners: [{ request_headers_timeout: '10s' }],
      http_filters: [{ mode: 'enforce', config: { brew_time: '4m', chance: 1 } }, {}],
      clusters: [{ name: 'app', endpoints: ['127.0.0.1:8080'], hold: { max_requests: 1024, max_wait: '5s' } }],
    });
  });

  it('of a configuration without secrets is a configuration that means the same', async () => {
    const first = await parse('clusters: [{ name: app, endpoints: [{ address: "127.0.0.1:1" }], tls: {} }]');
    const second = await parse(JSON.stringify(first.dump()));
    expect(second.dump()).toEqual(first.dump());
    for (const part of ['admin', 'log', 'listeners', 'virtual_hosts', 'clusters', 'drain'] as const) {
      expect(JSON.stringify(second.config[part])).toBe(JSON.stringify(first.config[part]));
    }
    expect(JSON.stringify(second.filters)).toBe(JSON.stringify(first.filters));
  });
});
