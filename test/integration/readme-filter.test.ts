import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { startApp } from '../support/app.ts';
import { startPortico } from '../support/portico.ts';

/** The code blocks of the README's chapter on filters, by language. */
function blocks(): { filter: string; config: string } {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const chapter = readme.slice(readme.indexOf('## A first filter'), readme.indexOf('## Deploy it'));
  return { filter: /```ts\n([^]*?)```/.exec(chapter)![1]!, config: /```yaml\n([^]*?)```/.exec(chapter)![1]! };
}

it('the first filter of the README works as it stands there, loaded by its path', async () => {
  const app = await startApp();
  const { filter, config } = blocks();
  const portico = await startPortico(
    `listeners: [{ name: http, address: 127.0.0.1:0 }]
${config.replace('./my-filters/', './')}
clusters: [{ name: app, endpoints: ['127.0.0.1:${app.port}'] }]`,
    { files: { 'maintenance.ts': filter } },
  );
  const origin = `http://127.0.0.1:${portico.port()}`;

  const refused = await fetch(`${origin}/checkout/cart`);
  expect([refused.status, await refused.text(), refused.headers.get('retry-after')]).toEqual([
    503,
    'Back soon.\n',
    '120',
  ]);
  const forwarded = await fetch(`${origin}/shop`);
  expect([forwarded.status, forwarded.headers.get('x-door')]).toEqual([200, 'portico']);
  expect(app.requests).toEqual(['GET /shop']);
  expect(await portico.metric('portico_filter_maintenance_refused_total{filter="maintenance"}')).toBe(1);
});
