#!/usr/bin/env -S node --max-semi-space-size=4
// JavaScript, and what it imports too: an old Node.js must get as far as the complaint, and a file of types that is read before
// the compile cache is there brings in the whole type stripper, 14 MB for as long as the process lives.
import module from 'node:module';
import { nodeVersionComplaint } from './cli/node-version.js';

const complaint = nodeVersionComplaint(process.version);
if (complaint !== undefined) {
  console.error(complaint);
  process.exitCode = 2;
} else {
  // Types need not be stripped, nor code compiled, a second time: half the start-up time and 25 MB less memory.
  // Where the folder cannot be written nothing is kept and nothing is lost. Workers inherit it. An empty name would be the current folder.
  process.env['NODE_COMPILE_CACHE'] ||= `${import.meta.dirname}/../.compile-cache`;
  module.enableCompileCache(process.env['NODE_COMPILE_CACHE']);
  await import('./v8-flags.ts');
  const { main } = await import('./cli/main.ts');
  process.exitCode = await main(process.argv.slice(2));
}
