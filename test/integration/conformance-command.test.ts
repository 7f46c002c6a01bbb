import { connect, createServer, type AddressInfo } from 'node:net';
import { execFile } from 'node:child_process';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startPortico } from '../support/portico.ts';

interface Outcome {
  code: number;
  out: string;
  err: string;
}

function conformance(...args: string[]): Promise<Outcome> {
  const cli = new URL('../../src/cli.js', import.meta.url).pathname;
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, 'conformance', ...args], { timeout: 18_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : (error.code as number), out, err });
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A proxy that understands nothing: what comes is passed on. */
async function passThrough(app: number): Promise<number> {
  const server = createServer((client) => {
    const upstream = connect(app, '127.0.0.1');
    for (const socket of [client, upstream]) socket.on('error', () => {});
    client.pipe(upstream).pipe(client);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('portico conformance', () => {
  it('finds nothing wrong with Portico', async () => {
    const app = await freePort();
    const portico = await startPortico(`
listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters: []
clusters: [{ name: app, endpoints: ['127.0.0.1:${app}'] }]`);
    const { code, out, err } = await conformance(
      '--target',
      `http://127.0.0.1:${portico.port()}`,
      '--listen',
      `127.0.0.1:${app}`,
      '--case',
      'K',
      '--quiet',
      '100',
    );
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.split('\n').filter((line) => /^K\d\d .* ok$/.test(line))).toHaveLength(10);
    expect(out).toMatch(/^all +10 +10 +0 +0$/m);
  });

  it('finds what a proxy lets through that understands nothing, and ends with 1', async () => {
    const app = await freePort();
    const target = `http://127.0.0.1:${await passThrough(app)}`;
    const { code, out } = await conformance(
      '--target',
      target,
      '--listen',
      `127.0.0.1:${app}`,
      '--case',
      'A0',
      '--quiet',
      '50',
      '--only-faults',
    );
    expect(code).toBe(1);
    expect(out).toMatch(/^A01 .*DANGEROUS: passed on: Content-Length with Transfer-Encoding$/m);
  });

  it('says so when the target does not forward to the recorder', async () => {
    const portico = await startPortico(`
listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters: []
virtual_hosts: [{ name: all, domains: ['*'], routes: [{ match: { prefix: / }, direct_response: { status: 204 } }] }]`);
    const { code, err } = await conformance(
      '--target',
      `http://127.0.0.1:${portico.port()}`,
      '--listen',
      '127.0.0.1:0',
    );
    expect(code).toBe(1);
    expect(err).toContain('the target does not forward to 127.0.0.1:');
    expect(err).toContain('it answers 204 and forwards nothing to the recorder');
  });

  it('says so when nobody is at the target', async () => {
    const { code, err } = await conformance(
      '--target',
      `http://127.0.0.1:${await freePort()}`,
      '--listen',
      '127.0.0.1:0',
    );
    expect(code).toBe(1);
    expect(err).toContain('ECONNREFUSED');
  });

  it.each([
    ['no target', [], 'which proxy? Write --target'],
    ['a target that is no URL', ['--target', 'localhost:80'], 'not a target: localhost:80'],
    ['a target elsewhere', ['--target', 'http://192.0.2.1'], '192.0.2.1 is not on this machine'],
    [
      'a target whose name looks like loopback',
      ['--target', 'http://127.0.0.1.example'],
      '127.0.0.1.example is not on this machine',
    ],
    ['an unknown case', ['--target', 'http://127.0.0.1', '--case', 'Z'], 'no case begins with Z'],
    ['a bad address', ['--target', 'http://127.0.0.1', '--listen', 'here'], 'not an address to listen on: here'],
    ['a bad time', ['--target', 'http://127.0.0.1', '--quiet', 'soon'], 'not a number of milliseconds: soon'],
  ])('refuses %s with exit code 2', async (_, args, complaint) => {
    const { code, out, err } = await conformance(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(complaint);
  });
});
