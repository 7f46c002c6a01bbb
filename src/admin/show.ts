/** Views as lines of `name::…::what::value`, which is how Envoy's admin shows them, so that grep and awk habits carry over. */
import type { ClusterView, EndpointView, ListenerView } from './view.ts';

export function clustersAsText(clusters: readonly ClusterView[]): string {
  return lines(clusters.flatMap(clusterLines)) || 'no clusters\n';
}

function clusterLines(cluster: ClusterView): string[] {
  const { name } = cluster;
  return [
    `${name}::lb_policy::${cluster.lb_policy}`,
    `${name}::error_rate_breaker::${cluster.error_rate_breaker}`,
    ...Object.entries(cluster.circuit_breakers).map(
      ([ceiling, { used, most }]) => `${name}::${ceiling}::${used} of ${most}`,
    ),
    `${name}::cx_idle::${cluster.idle_connections}`,
    ...cluster.endpoints.flatMap((endpoint) => endpointLines(name, endpoint)),
  ];
}

function endpointLines(cluster: string, endpoint: EndpointView): string[] {
  const at = `${cluster}::${endpoint.address}`;
  return [
    `${at}::health::${endpoint.health}`,
    `${at}::weight::${endpoint.weight}`,
    `${at}::rq_active::${endpoint.active_requests}`,
    `${at}::cx_active::${endpoint.connections}`,
  ];
}

export function listenersAsText(listeners: readonly ListenerView[]): string {
  return lines(listeners.flatMap(listenerLines)) || 'no listeners\n';
}

function listenerLines(listener: ListenerView): string[] {
  const at = `${listener.name}::${listener.address}`;
  return [
    `${at}::protocols::${listener.protocols.join(',')}`,
    ...(listener.tls?.certificates ?? []).map(
      ({ names, not_after }) => `${at}::certificate::${names.join(',')} until ${not_after}`,
    ),
    `${at}::cx_active::${listener.connections}`,
    `${at}::rq_active::${listener.active_exchanges}`,
  ];
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}
