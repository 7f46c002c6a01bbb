export type { Attempt, Outcome, UpstreamCluster, UpstreamResponse } from './attempt.ts';
export { Cluster, createCluster, type ClusterDeps, type ClusterLog, type ClusterView } from './cluster.ts';
