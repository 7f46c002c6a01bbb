import { didYouMean } from '../options/index.ts';
import { isLogLevel, logLevels } from '../process-log.ts';
import { indexPage } from './index-page.ts';
import { json, text, type AdminReply, type AdminRequest } from './reply.ts';
import { clustersAsText, listenersAsText } from './show.ts';
import type { AdminView } from './view.ts';

/** One row of the admin interface. A path may have two rows: one that shows and one that changes. */
export interface AdminEndpoint {
  readonly path: string;
  /** One sentence: what it shows or does. */
  readonly doc: string;
  /** Changes something: POST only, and from loopback only unless configured otherwise. */
  readonly mutates: boolean;
  /** Query parameters; a form may send them in its body as well. */
  readonly parameters?: Readonly<Record<string, AdminParameter>>;
  render(view: AdminView, request: AdminRequest): AdminReply | Promise<AdminReply>;
}

export interface AdminParameter {
  readonly doc: string;
  /** All values there are, where they can be listed. */
  readonly values?: readonly string[];
}

/** The table. `more` adds rows whose work needs what only the caller has, such as drain or reload. */
export function adminEndpoints(more: readonly AdminEndpoint[] = []): readonly AdminEndpoint[] {
  const endpoints: readonly AdminEndpoint[] = [
    {
      path: '/',
      doc: 'This page.',
      mutates: false,
      render: (view) => indexPage(view, endpoints),
    },
    {
      path: '/help',
      doc: 'The endpoints as text.',
      mutates: false,
      render: () => text(endpoints.map(helpLine).join('')),
    },
    {
      path: '/ready',
      doc: 'Whether requests should come here: 200 LIVE, or 503 with INITIALIZING or DRAINING. For readiness and startup probes.',
      mutates: false,
      render(view) {
        const state = view.state();
        return text(`${state}\n`, state === 'LIVE' ? 200 : 503);
      },
    },
    {
      path: '/live',
      doc: 'Answers 200 as long as the process runs. For liveness probes.',
      mutates: false,
      render: () => text('OK\n'),
    },
    {
      path: '/metrics',
      doc: 'Metrics in the Prometheus text format.',
      mutates: false,
      render: async (view) => ({
        status: 200,
        contentType: 'text/plain; version=0.0.4; charset=utf-8',
        body: await view.stats.render(),
      }),
    },
    {
      path: '/clusters',
      doc: 'Clusters with their endpoints, breakers and ceilings.',
      mutates: false,
      parameters: { format },
      render: (view, request) =>
        inFormat(request, {
          text: async () => clustersAsText(await view.clusters()),
          json: async () => ({ clusters: await view.clusters() }),
        }),
    },
    {
      path: '/listeners',
      doc: 'Listeners with their addresses, certificates and connections.',
      mutates: false,
      parameters: { format },
      render: (view, request) =>
        inFormat(request, {
          text: async () => listenersAsText(await view.listeners()),
          json: async () => ({ listeners: await view.listeners() }),
        }),
    },
    {
      path: '/config_dump',
      doc: 'The configuration in force with all defaults; secrets are masked.',
      mutates: false,
      render: (view) => json(view.configDump()),
    },
    {
      path: '/server_info',
      doc: 'Version, state, uptime, and the configuration file with its hash.',
      mutates: false,
      render: (view) => json(view.serverInfo()),
    },
    {
      path: '/logging',
      doc: 'The level of the process log.',
      mutates: false,
      render(view, { query }) {
        if (!query.has('level')) return text(`level: ${view.log.level}\nlevels: ${logLevels.join(', ')}\n`);
        return { ...text('changing the level needs POST\n', 405), headers: { allow: 'POST' } };
      },
    },
    {
      path: '/logging',
      doc: 'Changes the level of the process log until the next start.',
      mutates: true,
      parameters: { level: { doc: 'The new level.', values: logLevels } },
      async render(view, { query }) {
        const level = query.get('level') ?? '';
        if (!isLogLevel(level)) return text(`level must be one of ${logLevels.join(', ')}\n`, 400);
        const before = view.log.level;
        view.log.level = level;
        await view.logLevelChanged?.(level);
        return text(`level: ${level} (was ${before})\n`);
      },
    },
    ...more,
  ];
  return endpoints;
}

const format: AdminParameter = { doc: 'text, or json for machines.', values: ['text', 'json'] };

async function inFormat(
  request: AdminRequest,
  formats: { text(): Promise<string>; json(): Promise<unknown> },
): Promise<AdminReply> {
  const wanted = request.query.get('format') ?? 'text';
  if (wanted === 'text') return text(await formats.text());
  if (wanted === 'json') return json(await formats.json());
  return text('format must be text or json\n', 400);
}

function helpLine({ path, doc, mutates, parameters = {} }: AdminEndpoint): string {
  const names = Object.keys(parameters);
  const query = names.length === 0 ? '' : `?${names.map((name) => `${name}=`).join('&')}`;
  return `${mutates ? 'POST' : 'GET '} ${`${path}${query}`.padEnd(24)} ${doc}\n`;
}

/** 404 that helps: what was probably meant, else where the list is. */
export function unknownPath(path: string, endpoints: readonly AdminEndpoint[]): AdminReply {
  const known = [...new Set(endpoints.map((endpoint) => endpoint.path))];
  const bare = path.replace(/\/+$/, '').toLowerCase();
  const near = new Set(
    known.filter((one) => one !== '/' && bare.length > 2 && (bare.startsWith(one) || one.includes(bare.slice(1)))),
  );
  const meant = didYouMean(bare, known);
  if (meant !== undefined && meant !== '/') near.add(meant);
  const hint = near.size === 0 ? `there are ${known.join(', ')}` : `did you mean ${[...near].join(' or ')}?`;
  return text(`no endpoint ${path.slice(0, 100)}; ${hint}\n`, 404);
}
