import { didYouMean } from '../options/index.ts';
import { isLogLevel, logLevels } from '../process-log.ts';
import { indexPage } from './index-page.ts';
import { json, text, type AdminReply, type AdminRequest } from './reply.ts';
import type { AdminView } from './view.ts';

/** One row of the admin interface. A path may have two rows: one that shows and one that changes. */
export interface AdminEndpoint<View extends AdminView = AdminView> {
  readonly path: string;
  /** One sentence: what it shows or does. */
  readonly doc: string;
  /** Changes something: POST only, and from loopback only unless configured otherwise. */
  readonly mutates: boolean;
  /** Query parameters; a form may send them in its body as well. */
  readonly parameters?: Readonly<Record<string, AdminParameter>>;
  render(view: View, request: AdminRequest): AdminReply | Promise<AdminReply>;
}

export interface AdminParameter {
  readonly doc: string;
  /** All values there are, where they can be listed. */
  readonly values?: readonly string[];
}

/**
 * The table of a role: the rows that all roles have, and the role's own. A row of `more` takes the place of one that has its
 * path and method.
 */
export function adminEndpoints<View extends AdminView>(
  more: readonly AdminEndpoint<View>[],
): readonly AdminEndpoint<View>[] {
  const common: readonly AdminEndpoint<View>[] = [
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
  ];
  const replaced = (row: AdminEndpoint<View>) =>
    more.some(({ path, mutates }) => path === row.path && mutates === row.mutates);
  const endpoints = [...common.filter((row) => !replaced(row)), ...more];
  return endpoints;
}

function helpLine({ path, doc, mutates, parameters = {} }: AdminEndpoint<never>): string {
  const names = Object.keys(parameters);
  const query = names.length === 0 ? '' : `?${names.map((name) => `${name}=`).join('&')}`;
  return `${mutates ? 'POST' : 'GET '} ${`${path}${query}`.padEnd(24)} ${doc}\n`;
}

/** 404 that helps: what was probably meant, else where the list is. */
export function unknownPath(path: string, endpoints: readonly AdminEndpoint<never>[]): AdminReply {
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
