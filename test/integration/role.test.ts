import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { text } from '../../src/admin/index.ts';
import { loadRoleConfig } from '../../src/config/load-role.ts';
import { ConfigError, doc } from '../../src/options/index.ts';
import { RoleServer, roleSchema, type Role } from '../../src/role/index.ts';

const schema = roleSchema({ greeting: v.optional(doc('What it says.', v.string()), 'hello') });
type Config = v.InferOutput<typeof schema>;

/** A role that says something at `/greeting`. */
function greeter({ ready = true, left = 0 } = {}) {
  const events: string[] = [];
  const role: Role<Config> = {
    name: 'greeter',
    doc: 'Greets.',
    schema,
    check({ config }) {
      if (config.greeting === 'rude') throw new ConfigError([{ path: ['greeting'], message: 'must be polite' }]);
    },
    start({ config }) {
      let { greeting } = config;
      events.push(`start ${greeting}`);
      return Promise.resolve({
        endpoints: [
          { path: '/greeting', doc: 'Says it.', mutates: false, render: () => text(greeting) },
          { path: '/live', doc: 'In other words.', mutates: false, render: () => text('alive') },
        ],
        ready: () => ready,
        reload(loaded) {
          greeting = loaded.config.greeting;
          events.push(`reload ${greeting}`);
          return Promise.resolve([]);
        },
        drain() {
          events.push('drain');
          return Promise.resolve(left);
        },
        stop() {
          events.push('stop');
          return Promise.resolve();
        },
      });
    },
  };
  return { role, events };
}

async function start(
  yaml: string,
  { watch = true, ...options }: { watch?: boolean; ready?: boolean; left?: number } = {},
) {
  const { role, events } = greeter(options);
  const folder = mkdtempSync(join(tmpdir(), 'portico-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'greeter.yaml');
  const full = (text: string) =>
    `admin: { address: 127.0.0.1:0 }\nlog: { level: off }\nreload: { watch: ${watch}, poll_interval: 50ms }\n${text}`;
  writeFileSync(file, full(yaml));
  const server = await RoleServer.start(role, await loadRoleConfig(schema, file));
  onTestFinished(() => server.stop());
  const { port } = server.adminAddress() as { port: number };
  const ask = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return { status: response.status, body: await response.text() };
  };
  const write = (text: string) => {
    writeFileSync(`${file}.new`, full(text));
    renameSync(`${file}.new`, file);
  };
  return { server, events, ask, write };
}

describe('a role', () => {
  it('is shown by the admin with its own rows, which may take the place of common ones', async () => {
    const { ask } = await start('greeting: good morning');
    expect((await ask('/greeting')).body).toBe('good morning');
    expect((await ask('/live')).body).toBe('alive');
    expect(await ask('/ready')).toEqual({ status: 200, body: 'LIVE\n' });
    expect((await ask('/metrics')).body).toContain('portico_config_last_reload_success 1');
    expect(JSON.parse((await ask('/config_dump')).body)).toMatchObject({ greeting: 'good morning' });
    expect(JSON.parse((await ask('/server_info')).body)).toMatchObject({ role: 'greeter' });
  });

  it('says of itself that it is not ready', async () => {
    const { ask } = await start('', { ready: false });
    expect(await ask('/ready')).toEqual({ status: 503, body: 'UNREADY\n' });
  });

  it('takes a changed file over, and keeps the old configuration when the new one is bad', async () => {
    const { ask, write, events } = await start('greeting: one');
    write('greeting: two');
    await vi.waitFor(() => expect(events).toContain('reload two'), 10_000);
    write('greetin: three');
    await vi.waitFor(
      async () => expect((await ask('/metrics')).body).toContain('portico_config_reload_failures_total 1'),
      10_000,
    );
    expect((await ask('/server_info')).body).toContain('did you mean greeting?');
    expect((await ask('/greeting')).body).toBe('two');
  });

  it('refuses at a reload what only its check finds, with the place in the file', async () => {
    const { ask, write, events } = await start('greeting: one');
    write('greeting: rude');
    await vi.waitFor(
      async () => expect((await ask('/server_info')).body).toContain('4:11 greeting: must be polite'),
      10_000,
    );
    expect(events).toEqual(['start one']);
  });

  it('tells by a dry run what it would do, and does nothing', async () => {
    const { ask, write, events } = await start('greeting: one', { watch: false });
    write('greeting: two');
    const { status, body } = await ask('/reload?dry_run=1', 'POST');
    expect({ status, report: JSON.parse(body) as unknown }).toMatchObject({ status: 200, report: { result: 'good' } });
    expect(events).toEqual(['start one']);
    await ask('/reload', 'POST');
    expect(events).toEqual(['start one', 'reload two']);
  });

  it.each([
    { left: 0, code: 0 },
    { left: 1, code: 1 },
  ])('answers $code when it drains and has left $left', async ({ left, code }) => {
    const { server, events } = await start('', { left });
    expect(await server.drain()).toBe(code);
    expect(events.slice(0, 3)).toEqual(['start hello', 'drain', 'stop']);
    expect(await server.stopped).toBe(code);
  });

  it('ends with 0 after POST /quit', async () => {
    const { server, ask } = await start('', { left: 1 });
    await ask('/quit', 'POST');
    expect(await server.stopped).toBe(0);
  });
});
