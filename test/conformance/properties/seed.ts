/** Of everything that is drawn by lot in these tests: `PORTICO_SEED=7 vitest run test/conformance` tries others. */
export const seed = Number(process.env['PORTICO_SEED'] ?? 20261123);
