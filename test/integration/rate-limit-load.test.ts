import { expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { ProbingClient, type Probe } from '../support/probing-client.ts';
import { startFront } from '../support/resilience.ts';

const burst = 100;
const perSecond = 50;
const seconds = 10;
const connections = 64;

it(
  'RE34 of a flood on 64 connections a limit lets pass what it says, and tells every client',
  { timeout: 60_000 },
  async () => {
    const app = await startApp();
    const config = { max_tokens: burst, tokens_per_fill: perSecond, fill_interval: '1s' };
    const portico = await startFront([`127.0.0.1:${app.port}`], { http_filters: [{ name: 'rate-limit', config }] });
    const start = performance.now();
    let last = start;
    const results = await Promise.all(
      Array.from({ length: connections }, async () => {
        const client = new ProbingClient(portico.port());
        onTestFinished(() => client.close());
        const answers: Probe[] = [];
        while (performance.now() - start < seconds * 1000) {
          answers.push(await client.send());
          last = Math.max(last, performance.now());
          await new Promise((resolve) => setTimeout(resolve, 40));
        }
        return { answers, connections: client.connections };
      }),
    );
    const took = (last - start) / 1000;
    const answers = results.flatMap((one) => one.answers);
    const allowed = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status === 429);
    expect(allowed.length + refused.length).toBe(answers.length);
    // 594 to 606 in ten seconds.
    expect(Math.abs(allowed.length - (burst + perSecond * took))).toBeLessThanOrEqual(6);
    expect(refused.length).toBeGreaterThan(allowed.length);
    expect(app.requests).toHaveLength(allowed.length);
    for (const { headers } of answers) {
      expect(headers['ratelimit-limit']).toBe(String(burst));
      expect(Number(headers['ratelimit-remaining'])).toBeGreaterThanOrEqual(0);
      expect(Number(headers['ratelimit-reset'])).toBeGreaterThanOrEqual(0);
    }
    for (const { headers } of refused) expect(headers['retry-after']).toMatch(/^[1-9]\d*$/);
    // Being refused costs nobody a connection.
    expect(results.map((one) => one.connections)).toEqual(Array.from({ length: connections }, () => 1));
  },
);
