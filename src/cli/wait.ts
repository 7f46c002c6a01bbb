import { parseDuration } from '../options/index.ts';
import { adminAddress, adminOption, askAdmin, defaultAdmin } from './ask-admin.ts';
import { complain, type Command } from './command.ts';

/** Milliseconds between two questions, and for the answer to one. */
const interval = 100;
const patience = 2000;

export const wait: Command = {
  name: 'wait',
  doc: 'Waits until a running portico is ready, for the order of starts: exit code 0, or 1 when that takes too long.',
  options: {
    admin: { ...adminOption, default: defaultAdmin },
    timeout: { type: 'string', value: 'DURATION', default: '60s', doc: 'How long to wait.' },
  },
  async run({ admin, timeout }) {
    const address = adminAddress(String(admin));
    const milliseconds = parseDuration(String(timeout));
    if (address === undefined) {
      complain(`portico wait: --admin must be an address such as ${defaultAdmin}, not ${String(admin)}`);
      return 2;
    }
    if (milliseconds === undefined) {
      complain(`portico wait: --timeout must be a duration such as 60s, not ${String(timeout)}`);
      return 2;
    }
    const end = performance.now() + milliseconds;
    let last = '';
    do {
      try {
        const left = Math.max(1, Math.min(patience, end - performance.now()));
        const { status, body } = await askAdmin(address, 'GET', '/ready', left);
        if (status === 200) return 0;
        last = `it says ${body.trim()}`;
      } catch (error) {
        last = (error as Error).message;
      }
      await new Promise((resolve) => setTimeout(resolve, interval));
    } while (performance.now() < end);
    complain(`portico wait: not ready after ${String(timeout)}: ${last}`);
    return 1;
  },
};
