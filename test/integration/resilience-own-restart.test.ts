import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { frontConfig } from '../support/front-config.ts';
import { ProbingClient } from '../support/probing-client.ts';
import { runPortico } from '../support/process.ts';

it(
  'RE51 kill -9 of Portico with clients connected: the next one has its port at once',
  { timeout: 60_000 },
  async () => {
    const app = await startApp();
    const folder = mkdtempSync(join(tmpdir(), 'portico-restart-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'portico.yaml');
    const text = frontConfig([`127.0.0.1:${app.port}`]);
    writeFileSync(file, text);
    const first = runPortico(['run', '-c', file]);
    const port = Number(await first.says(/"http 127\.0\.0\.1:(\d+)"/));
    writeFileSync(
      file,
      text.replace('"name":"http","address":"127.0.0.1:0"', `"name":"http","address":"127.0.0.1:${port}"`),
    );
    const clients = Array.from({ length: 20 }, () => new ProbingClient(port));
    onTestFinished(() => clients.forEach((client) => client.close()));
    for (const { status } of await Promise.all(clients.map((client) => client.send()))) expect(status).toBe(200);
    first.child.kill('SIGKILL');
    await first.exited;
    // Connections of the dead process linger in the kernel; they must not keep the port from its successor.
    const second = runPortico(['run', '-c', file]);
    expect(Number(await second.says(/"http 127\.0\.0\.1:(\d+)"/))).toBe(port);
    const listening = performance.now();
    for (const { status } of await Promise.all(clients.map((client) => client.send()))) expect(status).toBe(200);
    expect(performance.now() - listening).toBeLessThan(2000);
  },
);
