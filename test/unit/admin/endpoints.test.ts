import { describe, expect, it } from 'vitest';
import { answer, type Question } from '../../../src/admin/answer.ts';
import { adminEndpoints, proxyEndpoints, text, type AdminEndpoint, type ProxyView } from '../../../src/admin/index.ts';
import { adminView } from '../../support/admin-view.ts';

const rules = { allow_remote_mutations: false, allowed_hosts: [] };

async function ask(
  method: string,
  target: string,
  { view = adminView(), more = [], ...rest }: { view?: ProxyView; more?: AdminEndpoint[] } & Partial<Question> = {},
) {
  const question: Question = {
    method,
    target,
    contentType: undefined,
    body: new Uint8Array(0),
    caller: {
      remoteAddress: '127.0.0.1',
      host: ['localhost'],
      origin: undefined,
      fetchSite: undefined,
      proxied: false,
    },
    ...rest,
  };
  const reply = await answer(question, adminEndpoints([...proxyEndpoints, ...more]), view, rules);
  return { ...reply, body: typeof reply.body === 'string' ? reply.body : Buffer.concat([...reply.body]).toString() };
}

describe('every endpoint', () => {
  const rows = adminEndpoints(proxyEndpoints).map((row): [string, string, AdminEndpoint<ProxyView>] => [
    row.mutates ? 'POST' : 'GET',
    row.path,
    row,
  ]);

  it.each(rows)('%s %s has a path and a sentence', (_, path, row) => {
    expect(path).toMatch(/^\/[a-z_]*$/);
    expect(row.doc).toMatch(/^[A-Z].*\.$/);
  });

  it.each(rows.filter(([, , row]) => !row.mutates))('%s %s answers 200 without parameters', async (method, path) => {
    expect((await ask(method, path)).status).toBe(200);
  });

  it.each(rows)('%s %s is the only row for its method', (_, path, row) => {
    expect(
      adminEndpoints(proxyEndpoints).filter((other) => other.path === path && other.mutates === row.mutates),
    ).toHaveLength(1);
  });

  it.each(rows)('%s %s is named on the page and in the help', async (_, path) => {
    expect((await ask('GET', '/')).body).toContain(path);
    expect((await ask('GET', '/help')).body).toContain(` ${path}`);
  });

  it.each(rows.filter(([, , row]) => row.mutates))('%s %s refuses another site', async (method, path) => {
    const caller = {
      remoteAddress: '127.0.0.1',
      host: ['localhost'],
      origin: undefined,
      fetchSite: 'cross-site',
      proxied: false,
    };
    expect((await ask(method, path, { caller })).status).toBe(403);
  });
});

describe('/ready', () => {
  it.each([
    ['LIVE', 200],
    ['INITIALIZING', 503],
    ['DRAINING', 503],
  ] as const)('in state %s answers %d', async (state, status) => {
    expect(await ask('GET', '/ready', { view: adminView({ state: () => state }) })).toMatchObject({
      status,
      body: `${state}\n`,
    });
  });

  it('does not matter to /live', async () => {
    expect((await ask('GET', '/live', { view: adminView({ state: () => 'DRAINING' }) })).status).toBe(200);
  });
});

describe('/clusters and /listeners', () => {
  it('show lines that grep finds', async () => {
    const { body } = await ask('GET', '/clusters');
    expect(body.split('\n')).toEqual(
      expect.arrayContaining([
        'app::error_rate_breaker::closed',
        'app::max_connections::3 of 1024',
        'app::127.0.0.1:8080::health::healthy',
        'app::127.0.0.1:8080::rq_active::2',
        'app::[::1]:8080::health::ejected',
      ]),
    );
    expect((await ask('GET', '/listeners')).body).toContain(
      'https::0.0.0.0:443::certificate::shop.example,*.shop.example until 2027-01-01T00:00:00.000Z\n',
    );
  });

  it('show JSON when asked', async () => {
    const view = adminView();
    expect(JSON.parse((await ask('GET', '/clusters?format=json', { view })).body)).toEqual({
      clusters: view.clusters(),
    });
    expect(JSON.parse((await ask('GET', '/listeners?format=json', { view })).body)).toEqual({
      listeners: view.listeners(),
    });
  });

  it('refuse another format', async () => {
    expect((await ask('GET', '/clusters?format=xml')).status).toBe(400);
  });
});

describe('/logging', () => {
  it('shows the level', async () => {
    expect((await ask('GET', '/logging')).body).toBe('level: info\nlevels: debug, info, warn, error, off\n');
  });

  it('changes the level by POST, in the query or in a form', async () => {
    const view = adminView();
    expect((await ask('POST', '/logging?level=debug', { view })).body).toBe('level: debug (was info)\n');
    expect(view.log.level).toBe('debug');
    const form = { contentType: 'application/x-www-form-urlencoded', body: Buffer.from('level=warn') };
    expect((await ask('POST', '/logging', { view, ...form })).status).toBe(200);
    expect(view.log.level).toBe('warn');
  });

  it('does not change the level by GET', async () => {
    const view = adminView();
    expect(await ask('GET', '/logging?level=debug', { view })).toMatchObject({
      status: 405,
      headers: { allow: 'POST' },
    });
    expect(view.log.level).toBe('info');
  });

  it('refuses a level that does not exist', async () => {
    expect(await ask('POST', '/logging?level=loud')).toMatchObject({ status: 400 });
    expect(await ask('POST', '/logging')).toMatchObject({ status: 400 });
  });
});

describe('a request that fits no endpoint', () => {
  it.each([
    ['a typing error', '/metric', 'did you mean /metrics?'],
    ['a swapped letter', '/raedy', 'did you mean /ready?'],
    ['a slash too much', '/ready/', 'did you mean /ready?'],
    ['something longer', '/clusters/app', 'did you mean /clusters?'],
    ['something else', '/wp-login.php', 'there are /, /help, /ready'],
  ])('%s gets 404 and a hint', async (_, path, hint) => {
    const reply = await ask('GET', path);
    expect(reply.status).toBe(404);
    expect(reply.body).toContain(hint);
  });

  it.each([
    ['POST', '/ready', 'GET, HEAD'],
    ['DELETE', '/ready', 'GET, HEAD'],
    ['PUT', '/logging', 'GET, HEAD, POST'],
    ['OPTIONS', '/config_dump', 'GET, HEAD'],
    ['GET', '/drain', 'POST'],
    ['HEAD', '/drain', 'POST'],
  ])('%s %s gets 405 and Allow', async (method, path, allow) => {
    const drain: AdminEndpoint = { path: '/drain', doc: 'Drains.', mutates: true, render: () => text('draining\n') };
    expect(await ask(method, path, { more: [drain] })).toMatchObject({ status: 405, headers: { allow } });
  });

  it.each(['http://localhost/ready', '*', 'ready'])('target %s gets 400', async (target) => {
    expect((await ask('GET', target)).status).toBe(400);
  });
});

describe('an added row', () => {
  it('is served, listed and told the request', async () => {
    const quit: AdminEndpoint = {
      path: '/quitquitquit',
      doc: 'Stops.',
      mutates: true,
      parameters: { after: { doc: 'How long to wait.' } },
      render: (_, { method, query }) => text(`${method} ${query.get('after')}\n`),
    };
    expect((await ask('POST', '/quitquitquit?after=1s', { more: [quit] })).body).toBe('POST 1s\n');
    expect((await ask('GET', '/help', { more: [quit] })).body).toContain('POST /quitquitquit?after=');
    expect((await ask('GET', '/', { more: [quit] })).body).toContain('<input name="after"');
  });

  it('that throws answers 500 without saying why, and the log says it', async () => {
    const view = adminView();
    const bad: AdminEndpoint = {
      path: '/bad',
      doc: 'Fails.',
      mutates: false,
      render: () => {
        throw new Error('the secret reason');
      },
    };
    const reply = await ask('GET', '/bad', { view, more: [bad] });
    expect(reply).toMatchObject({ status: 500, body: '/bad failed; the process log says why\n' });
    expect(view.lines).toEqual(['error admin endpoint failed']);
  });
});

describe('the page', () => {
  it('escapes what it shows', async () => {
    const { body } = await ask('GET', '/');
    expect(body).toContain('/etc/&lt;portico&gt;.yaml');
    expect(body).not.toContain('<portico>');
    expect(body).toContain('up 1 d 02:03:04');
  });

  it('loads nothing', async () => {
    expect((await ask('GET', '/')).body).not.toMatch(/<(?:script|link|img|iframe)|https?:|url\(/);
  });
});
