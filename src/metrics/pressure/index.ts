export * from './config.ts';
export * from './pressure-source.ts';
