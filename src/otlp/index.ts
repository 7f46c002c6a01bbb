/** What logs and metrics have in common in OTLP 1.x: attributes, the two encodings, and what a receiver answers. */
export * from './attributes.ts';
export * from './encoding.ts';
export * from './answer.ts';
