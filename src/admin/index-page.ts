import { createHash } from 'node:crypto';
import type { AdminEndpoint, AdminParameter } from './endpoints.ts';
import { html, type Html } from './html.ts';
import type { AdminReply } from './reply.ts';
import type { AdminView } from './view.ts';

const style = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; }
td { padding: .4rem .8rem .4rem 0; vertical-align: top; border-top: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
td:first-child { white-space: nowrap; width: 1%; font-family: ui-monospace, monospace; }
.state { font-weight: 600; } .LIVE { color: light-dark(#067d3a, #4ade80); } .INITIALIZING, .UNREADY, .DRAINING { color: light-dark(#a15c00, #fbbf24); }
small { opacity: .75; } form { display: inline-flex; gap: .5rem; align-items: center; }
`;

/** Made outside the page, because every space inside it counts for the hash. */
const styleElement: Html = { html: `<style>${style}</style>` };

const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The admin interface listing itself. One answer, nothing to load. */
export function indexPage(view: AdminView, endpoints: readonly AdminEndpoint<never>[]): AdminReply {
  const { version, node_version, pid, uptime_seconds, config_file } = view.serverInfo();
  const state = view.state();
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Portico: ${state}</title>
        ${styleElement}
      </head>
      <body>
        <h1>Portico <span class="state ${state}">${state}</span></h1>
        <small
          >version ${version}, Node ${node_version}, process ${pid}, up ${uptime(uptime_seconds)},
          ${config_file ?? 'no configuration file'}</small
        >
        <h2>Look</h2>
        <table>
          ${endpoints.filter((endpoint) => !endpoint.mutates).map(lookRow)}
        </table>
        <h2>Change</h2>
        <table>
          ${endpoints.filter((endpoint) => endpoint.mutates).map(changeRow)}
        </table>
      </body>
    </html> `;
  return {
    status: 200,
    contentType: 'text/html; charset=utf-8',
    body: page.html,
    headers: { 'content-security-policy': contentSecurityPolicy },
  };
}

function lookRow({ path, doc, parameters = {} }: AdminEndpoint<never>): Html {
  const variants = Object.entries(parameters).flatMap(([name, { values = [] }]) =>
    values.slice(1).map((value) => `${path}?${name}=${value}`),
  );
  return html`<tr>
    <td><a href="${path}">${path}</a></td>
    <td>${doc}${variants.map((url) => html` <a href="${url}">${url}</a>`)}</td>
  </tr> `;
}

function changeRow({ path, doc, parameters = {} }: AdminEndpoint<never>): Html {
  return html`<tr>
    <td>POST ${path}</td>
    <td>
      ${doc}<br />
      <form method="post" action="${path}">${Object.entries(parameters).map(field)}<button>POST</button></form>
    </td>
  </tr> `;
}

function field([name, { doc, values }]: [string, AdminParameter]): Html {
  if (values === undefined) return html`<label title="${doc}">${name} <input name="${name}" /></label>`;
  return html`<label title="${doc}"
    >${name}
    <select name="${name}">
      ${values.map((value) => html`<option>${value}</option>`)}
    </select></label
  >`;
}

function uptime(seconds: number): string {
  const whole = Math.floor(seconds);
  const days = Math.floor(whole / 86_400);
  const clock = [Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
  return days === 0 ? clock : `${days} d ${clock}`;
}
