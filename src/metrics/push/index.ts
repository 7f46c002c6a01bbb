export * from './config.ts';
export * from './create-push.ts';
export type { Snapshot } from './snapshot.ts';
