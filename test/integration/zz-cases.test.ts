import { readFileSync } from 'node:fs';
import { it } from 'vitest';
import { echo, RawClient, startListener, statusesIn } from '../support/listener-harness.ts';
it('cases', async () => {
  const cases = JSON.parse(readFileSync('/work/shared/cases/h1_cases.json','utf8')) as any[];
  const out: string[] = [];
  for (const c of cases) {
    const t = await startListener({ answer: echo, config: { request_headers_timeout: '300ms', request_timeout: '400ms' } });
    const client = await RawClient.connect(t.port);
    client.write(Buffer.from(c.bytes_b64,'base64'));
    const timer = setTimeout(()=>{}, 0);
    await Promise.race([client.end(), new Promise(r=>setTimeout(r, 60))]);
    let closed = client.closed;
    const s = statusesIn(client.received).join(',');
    const verdict = `${s||'-'}${closed?'c':''}/${t.answered.length}`;
    const r400 = /^R400/.test(c.expect);
    const bad = r400 ? !(closed && t.answered.length === 0 && /^(400|501|405|505|431)$/.test(s)) : undefined;
    if (bad !== false) out.push(`${bad?'BAD':'   '} ${c.id} ${verdict} :: ${c.expect.slice(0,150)} || ${JSON.stringify(Buffer.from(c.bytes_b64,'base64').toString('latin1').slice(0,140))} n20=${c.observed.node20_server} [${t.logged.map(e=>e.responseCodeDetails)}]`);
    clearTimeout(timer); client.socket.destroy();
    await t.listener.close(0);
  }
  console.log(out.join('\n'));
}, 300000);
