import { describe, expect, it, onTestFinished } from 'vitest';
import { startPortico } from '../support/portico.ts';
import { escape, readCases } from '../../src/conformance/case-file.ts';
import { exchangeBytes } from '../../src/conformance/raw-client.ts';
import { ScriptedAnswers } from './scripted-answers.ts';

const cases = readCases('responses');

describe('answers of a broken app', () => {
  it.each(cases.map((one) => [one.id, one.title, one] as const))('%s %s', async (_id, _title, { bytes, fields }) => {
    const app = await ScriptedAnswers.start();
    onTestFinished(() => app.stop());
    app.answer = bytes;
    app.then = fields.get('then')!;
    const portico = await startPortico(`
listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters: []
clusters: [{ name: app, endpoints: ['127.0.0.1:${app.port}'] }]
virtual_hosts: [{ name: app, domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: app, timeout: 1s } }] }]`);
    const [method] = fields.get('request')!.split(' ');
    const partial = method === 'POST' ? 'Content-Length: 1000\r\n\r\nabc' : '\r\n';
    const request = Buffer.from(`${method} / HTTP/1.1\r\nHost: t\r\n${partial}`);
    const seen = await exchangeBytes(portico.port(), [request], {
      quiet: Number(fields.get('wait') ?? 150),
      heads: method === 'HEAD',
    });
    const messages = seen.messages.map(
      ({ status, body, complete }) => `${status} ${JSON.stringify(escape(body))}${complete ? '' : ' broken'}`,
    );
    const wanted = fields.get('client');
    if (wanted !== undefined) expect([...messages, seen.closed ? 'closed' : 'open'].join(', ')).toBe(wanted);
    const lacks = fields.get('client-lacks');
    const has = fields.get('client-has');
    if (has !== undefined)
      for (const text of has.split(' | ')) expect(escape(seen.raw).toLowerCase()).toContain(text.toLowerCase());
    if (lacks !== undefined)
      for (const text of lacks.split(' | ')) expect(escape(seen.raw).toLowerCase()).not.toContain(text.toLowerCase());

    const canary = await exchangeBytes(
      portico.port(),
      [Buffer.from('GET /canary HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')],
      { quiet: 2000 },
    );
    expect(canary.messages.map(({ status, body }) => [status, body])).toEqual([[200, 'canary']]);
    const reused = app.connections.some(({ heads }) => heads > 1);
    expect(reused ? 'reused' : 'not reused').toBe(fields.get('connection'));
  });
});
