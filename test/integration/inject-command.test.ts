import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

const cli = new URL('../../src/cli.js', import.meta.url).pathname;
const manifest = readFileSync('test/inject/golden/deployment-with-service.in.yaml', 'utf8');
const expected = readFileSync('test/inject/golden/deployment-with-service.out.yaml', 'utf8');

function portico(args: readonly string[], input: string | Buffer = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'inject', ...args], { input, encoding: 'utf8' });
  return { status, stdout, stderr };
}

function temporaryFile(content: string | Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), 'portico-inject-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'deployment.yaml');
  writeFileSync(file, content);
  return file;
}

it('takes a manifest from standard input and gives it to standard output, telling what it did beside', () => {
  expect(portico(['-f', '-'], manifest)).toEqual({
    status: 0,
    stdout: expected,
    stderr: 'Deployment shop: added portico\n',
  });
});

it('changes a file in place, and changes it back', () => {
  const file = temporaryFile(manifest);
  expect(portico(['-f', file, '-o', file]).status).toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(expected);
  expect(portico(['-f', file, '-o', file, '--remove'])).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(readFileSync(file, 'utf8')).toBe(manifest);
});

it('says that a Service elsewhere has to be changed', () => {
  const { stderr } = portico(['-f', '-'], manifest.slice(0, manifest.indexOf('---')));
  expect(stderr).toContain('no Service here selects its pods; one elsewhere should have targetPort: 80');
});

it('says that TLS is reached through no Service, until one has the port', () => {
  const args = ['-f', '-', '--tls-secret', 'shop-tls'];
  expect(portico(args, manifest).stderr).toContain(
    'no Service leads to its TLS port; add { name: https, port: 443, targetPort: 443 } to one',
  );
  const withPort = manifest.replace(
    '    - { name: metrics, port: 9100 }',
    '$&\n    - { name: https, port: 443, targetPort: 443 }',
  );
  expect(portico(args, withPort).stderr).toBe('Deployment shop: added portico\n');
});

it('lets port 443 of a Service that led to the app lead to TLS, if there is TLS', () => {
  const secured = manifest.replace('port: 80\n      targetPort: http ', 'port: 443\n      targetPort: http ');
  expect(secured).not.toBe(manifest);
  const { stdout, stderr } = portico(['-f', '-', '--tls-secret', 'shop-tls'], secured);
  expect(stdout).toContain('targetPort: 443   # by name');
  expect(stderr).toBe('Deployment shop: added portico\n');
  expect(portico(['-f', '-'], secured).stdout).toContain('targetPort: 80   # by name');
});

it('replaces the file that a link points to in one step, and keeps link and mode', () => {
  const file = temporaryFile(manifest);
  const link = `${file}.link`;
  symlinkSync(file, link);
  chmodSync(file, 0o600);
  const { ino } = statSync(file);
  expect(portico(['-f', link, '-o', link]).status).toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(expected);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(statSync(file)).toMatchObject({ mode: 0o100600 });
  expect(statSync(file).ino).not.toBe(ino);
});

it('writes nothing when there is a fault, and says where it is', () => {
  const file = temporaryFile('apiVersion: v1\nkind: Pod\nspec:\n  hostNetwork: true\n  containers: [{ name: a }]\n');
  const before = readFileSync(file, 'utf8');
  const { status, stdout, stderr } = portico(['-f', file, '-o', file]);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/deployment\.yaml:4:16 hostNetwork: .*; take it out\n$/);
  expect(readFileSync(file, 'utf8')).toBe(before);
});

it('refuses bytes that are not UTF-8, which it could not give back', () => {
  const file = temporaryFile(Buffer.from([0x23, 0xff, 0x0a]));
  expect(portico(['-f', file])).toMatchObject({ status: 1, stdout: '' });
});

it.each([
  [[], 'which manifest? Write -f FILE'],
  [['-f', '-', '--app-port', '80a'], '--app-port must be a port such as 8080, not 80a'],
  [['-f', '-', '--app-port', '65536'], '--app-port must be a port such as 8080, not 65536'],
  [['-f', '-', '--logs-path', '/'], '--logs-path must be a folder such as /var/log/app, not /'],
  [['-f', '-', '--logs-path', '/var/../etc'], '--logs-path must be a folder such as /var/log/app, not /var/../etc'],
  [['-f', '-', '--config-map', 'Shop_1'], '--config-map must be a name that Kubernetes takes'],
  [['-f', '-', '--image', 'a b'], '--image must be an image such as portico:'],
  [['-f', '-', '--proxi'], 'unknown option --proxi; did you mean --proxy?'],
])('refuses %j', (args, complaint) => {
  const { status, stdout, stderr } = portico(args, manifest);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain(`portico inject: ${complaint}`);
});
