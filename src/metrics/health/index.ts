export * from './config.ts';
export * from './health-source.ts';
