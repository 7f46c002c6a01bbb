export { podSchema, type PodConfig } from './config.ts';
export { PodMetadata, type PodMetadataParts, type PodSnapshot } from './pod-metadata.ts';
