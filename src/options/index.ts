/** The kinds of values that options take, and what is said when one is wrong. This room knows nobody. */
export * from './compiled.ts';
export * from './did-you-mean.ts';
export * from './fault.ts';
export * from './regex.ts';
export * from './values.ts';
