import type { AdminEndpoint, AdminParameter } from './endpoints.ts';
import { json, text, type AdminReply, type AdminRequest } from './reply.ts';
import { clustersAsText, listenersAsText } from './show.ts';
import type { ProxyView } from './view.ts';

const format: AdminParameter = { doc: 'text, or json for machines.', values: ['text', 'json'] };

/** The rows that only the proxy has. */
export const proxyEndpoints: readonly AdminEndpoint<ProxyView>[] = [
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
];

async function inFormat(
  request: AdminRequest,
  formats: { text(): Promise<string>; json(): Promise<unknown> },
): Promise<AdminReply> {
  const wanted = request.query.get('format') ?? 'text';
  if (wanted === 'text') return text(await formats.text());
  if (wanted === 'json') return json(await formats.json());
  return text('format must be text or json\n', 400);
}
