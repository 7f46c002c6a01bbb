import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkServerIdentity, connect, createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { nodeVersionComplaint } from '../../src/cli/node-version.js';

interface Outcome {
  code: number;
  out: string;
  err: string;
}

/** Runs the real program, with no more environment than it needs. */
function portico(args: string[], environment: Record<string, string> = {}): Promise<Outcome> {
  const cli = join(import.meta.dirname, '../../src/cli.js');
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, ...args], { env: environment, timeout: 15_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : (error.code as number), out, err });
    });
  });
}

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'portico-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe('portico', () => {
  it('--version says the version', async () => {
    expect(await portico(['--version'])).toEqual({ code: 0, out: `${packageJson.version}\n`, err: '' });
  });

  it('--help lists the commands', async () => {
    const { code, out, err } = await portico(['--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const command of ['run', 'demo', 'validate', 'schema', 'certs'])
      expect(out).toMatch(new RegExp(`^  ${command} `, 'm'));
  });

  it('COMMAND --help lists the options of the command', async () => {
    const { code, out } = await portico(['validate', '--help']);
    expect(code).toBe(0);
    expect(out).toContain('-c, --config FILE');
  });

  it.each([
    ['no command', [], 'Usage: portico COMMAND'],
    ['an unknown command', ['valdate'], 'unknown command valdate; did you mean validate?'],
    ['a command of another name that every object has', ['constructor'], 'unknown command constructor'],
    ['an unknown option', ['--verison'], 'unknown option --verison; did you mean --version?'],
    ['an unknown option of a command', ['certs', '--forse'], 'unknown option --forse; did you mean --force?'],
    ['a configuration that is not named by -c', ['validate', 'a.yaml'], 'a configuration is given as -c a.yaml'],
    ['an option without its value', ['validate', '-c'], '-c'],
    ['no configuration', ['validate'], 'which configuration? Write -c FILE'],
  ])('refuses %s with exit code 2', async (_, args, complaint) => {
    const { code, out, err } = await portico(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(complaint);
  });

  it.each([
    ['v20.20.2', true],
    ['v24.18.0', true],
    ['v24.18.1', false],
    ['v24.19.0', false],
    ['v26.0.0', false],
    ['v27.0.0-nightly', false],
  ])('Node.js %s is too old: %s', (version, tooOld) => {
    expect(nodeVersionComplaint(version) !== undefined).toBe(tooOld);
  });

  // The machine's own Node.js, where it is one that knows no types.
  const old = '/usr/bin/node';
  const version = existsSync(old) ? execFileSync(old, ['--version'], { encoding: 'utf8' }).trim() : 'none';
  it.skipIf(!/^v(18|20)\./.test(version))(`a real old one (${version}) gets as far as the complaint`, () => {
    const { status, stderr } = spawnSync(old, ['src/cli.js', 'run'], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 2, stderr: `${nodeVersionComplaint(version)}\n` });
  });
});

it('keeps nothing compiled in the current folder, not even when NODE_COMPILE_CACHE is empty', () => {
  const folder = scratch();
  const cli = join(import.meta.dirname, '../../src/cli.js');
  const env = { ...process.env, NODE_COMPILE_CACHE: '' };
  expect(execFileSync(process.execPath, [cli, '--version'], { cwd: folder, env, encoding: 'utf8' })).toMatch(/^\d/);
  expect(readdirSync(folder)).toEqual([]);
});

describe('portico validate', () => {
  it('accepts the minimal example', async () => {
    expect(await portico(['validate', '-c', 'config/minimal.yaml'])).toEqual({
      code: 0,
      out: 'config/minimal.yaml is good: 1 listener, 2 http filters, 1 virtual host, 1 cluster\n',
      err: '',
    });
  });

  it('tells every fault on a line of its own, with exit code 2', async () => {
    const file = 'test/config/faults/unknown-option.yaml';
    const { code, out, err } = await portico(['validate', '-c', file]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toBe(readFileSync(file.replace('yaml', 'txt'), 'utf8'));
  });

  it('tells a fault that only making everything finds, at its place', async () => {
    const file = join(scratch(), 'portico.yaml');
    writeFileSync(
      file,
      "virtual_hosts:\n  - name: app\n    domains: ['*']\n    routes:\n      - route: { cluster: ap }\nclusters:\n  - { name: app, endpoints: [127.0.0.1:1] }\n",
    );
    const { code, err } = await portico(['validate', '-c', file]);
    expect(code).toBe(2);
    expect(err).toContain(`${file}:5:27 virtual_hosts[0].routes[0].route.cluster: `);
  });

  it('reads the environment', async () => {
    const file = join(scratch(), 'portico.yaml');
    writeFileSync(file, 'listeners:\n  - { name: http, address: "127.0.0.1:${PORT}" }\n');
    expect((await portico(['validate', '-c', file], { PORT: '8000' })).code).toBe(0);
    expect((await portico(['validate', '-c', file])).err).toContain('the environment variable PORT is not set');
  });

  it('loads a filter from anywhere on disk, with what it imports', async () => {
    const folder = scratch();
    mkdirSync(join(folder, 'mine'));
    writeFileSync(join(folder, 'mine/greeting.ts'), "export const greeting: string = 'hello';\n");
    writeFileSync(
      join(folder, 'mine/greet.ts'),
      `import { defineFilter, v } from 'portico';
import * as valibot from 'valibot';
import { greeting } from './greeting.ts';
export default defineFilter({
  doc: 'Greets.',
  config: v.strictObject({ name: valibot.optional(v.string(), greeting) }),
  create: ({ name }) => ({ onResponse(response) { response.headers.set('x-greeting', name); } }),
});
`,
    );
    const file = join(folder, 'portico.yaml');
    writeFileSync(file, 'http_filters:\n  - { name: ./mine/greet.ts, config: { name: Ada } }\n');
    expect(await portico(['validate', '-c', file])).toMatchObject({ code: 0, err: '' });
    writeFileSync(file, 'http_filters:\n  - { name: ./mine/greet.ts, config: { nam: Ada } }\n');
    expect((await portico(['validate', '-c', file])).err).toBe(
      `${file}:2:40 http_filters[0].config.nam: unknown option; did you mean name?\n`,
    );
  });

  it('reads a pipe', async () => {
    const file = join(scratch(), 'pipe');
    await new Promise((done) => execFile('mkfifo', [file], done));
    const written = writeFile(file, 'log: { level: warn }\n');
    expect((await portico(['validate', '-c', file])).code).toBe(0);
    await written;
  });
});

describe('portico schema', () => {
  it('prints what config/schema.json has', async () => {
    const { code, out, err } = await portico(['schema']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toBe(readFileSync('config/schema.json', 'utf8'));
  });
});

describe('portico certs', () => {
  it('makes an authority and a certificate that a TLS client accepts for localhost and both loopback addresses', async () => {
    const folder = join(scratch(), 'made', 'on', 'demand');
    const { code, out } = await portico(['certs', '-o', folder]);
    expect(code).toBe(0);
    expect(out).toContain(join(folder, 'localhost.crt'));
    const read = (name: string) => readFileSync(join(folder, name));
    const server = createServer({ cert: read('localhost.crt'), key: read('localhost.key') }, (socket) => socket.end());
    onTestFinished(() => void server.close());
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    for (const servername of ['localhost', '127.0.0.1', '::1']) {
      const accepted = await new Promise((resolve) => {
        const checked = {
          host: '127.0.0.1',
          port,
          ca: read('ca.crt'),
          ...(servername === 'localhost' ? { servername } : {}),
        };
        const socket = connect(
          { ...checked, checkServerIdentity: (_, certificate) => checkServerIdentity(servername, certificate) },
          () => {
            resolve(socket.authorized);
            socket.destroy();
          },
        );
        socket.on('error', resolve);
      });
      expect(accepted).toBe(true);
    }
  });

  it('keeps keys to their owner', async () => {
    const folder = scratch();
    await portico(['certs', '-o', folder]);
    for (const name of ['ca.key', 'localhost.key']) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  });

  it('leaves good certificates alone, and replaces them with --force', async () => {
    const folder = scratch();
    const fingerprint = () =>
      createHash('sha256')
        .update(readFileSync(join(folder, 'localhost.key')))
        .digest('hex');
    await portico(['certs', '-o', folder]);
    const first = fingerprint();
    expect(await portico(['certs', '-o', folder])).toMatchObject({
      code: 0,
      out: expect.stringContaining('there already') as string,
    });
    expect(fingerprint()).toBe(first);
    expect((await portico(['certs', '-o', folder, '--force'])).code).toBe(0);
    expect(fingerprint()).not.toBe(first);
    expect(statSync(join(folder, 'localhost.key')).mode & 0o777).toBe(0o600);
  });

  it('never overwrites what it did not make', async () => {
    const folder = scratch();
    writeFileSync(join(folder, 'localhost.key'), 'precious');
    const { code, err } = await portico(['certs', '-o', folder]);
    expect(code).toBe(1);
    expect(err).toContain('--force');
    expect(readFileSync(join(folder, 'localhost.key'), 'utf8')).toBe('precious');
  });
});
