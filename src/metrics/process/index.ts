export * from './config.ts';
export * from './process-source.ts';
