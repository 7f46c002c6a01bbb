export * from './config.ts';
export * from './derived-source.ts';
