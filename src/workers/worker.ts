/** The program of a worker: listens to the primary and does what it says. */
import '../v8-flags.ts';

// The primary decides. A terminal sends Ctrl-C to all of them.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
// Without a primary there is nobody who could end it.
process.once('disconnect', () => process.exit(0));
const { obey } = await import('./obey.ts');
obey();
