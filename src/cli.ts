#!/usr/bin/env node
import { nodeVersionComplaint } from './cli/node-version.ts';

const complaint = nodeVersionComplaint(process.version);
if (complaint !== undefined) {
  console.error(complaint);
  process.exitCode = 2;
} else {
  // Only now, because an old Node.js would stumble over what this imports and say something else.
  const { main } = await import('./cli/main.ts');
  process.exitCode = await main(process.argv.slice(2));
}
