/** A queue of records that outlives the process: append, read in order, acknowledge. Knows `options` only. */
export * from './config.ts';
export * from './disk-queue.ts';
export type { QueueFile, QueueFiles } from './queue-files.ts';
export type * from './queue-observer.ts';
export type * from './queued-record.ts';
