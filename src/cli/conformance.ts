import type { Address } from '../options/index.ts';
import { complain, say, type Command } from './command.ts';

export const conformance: Command = {
  name: 'conformance',
  doc: 'Sends ambiguous and malformed HTTP/1.1 requests through a proxy, any proxy, and tells what it let through.',
  options: {
    target: { type: 'string', value: 'URL', doc: 'The proxy: http://127.0.0.1:8000. Certificates of an https target are not checked.' },
    listen: {
      type: 'string',
      value: 'ADDRESS',
      default: '127.0.0.1:8080',
      doc: 'Where the recorder listens, to which the proxy must forward every host and path, and nobody else.',
    },
    case: { type: 'string', value: 'PREFIX', default: '', doc: 'Only cases whose id begins so: A, B44, C01.' },
    quiet: { type: 'string', value: 'MS', default: '200', doc: 'Milliseconds of silence after which nothing more is expected.' },
    'only-faults': { type: 'boolean', doc: 'Leaves out the cases that are ok.' },
    'allow-remote': { type: 'boolean', doc: 'The target is not on this machine, and I may attack it.' },
  },
  async run(args) {
    const [{ parseTarget, isLoopback }, { parseAddress }, { readCases }] = await Promise.all([
      import('../conformance/target.ts'),
      import('../options/index.ts'),
      import('../conformance/case-file.ts'),
    ]);
    const wrong = (complaint: string) => {
      complain(`portico conformance: ${complaint}`);
      return 2;
    };
    if (typeof args['target'] !== 'string') return wrong('which proxy? Write --target http://127.0.0.1:PORT');
    const target = parseTarget(args['target']);
    if (target === undefined) return wrong(`not a target: ${args['target']}; write http://127.0.0.1:PORT`);
    if (!isLoopback(target) && args['allow-remote'] !== true) {
      return wrong(`${target.host} is not on this machine. What is sent to it is an attack: if you may do that, add --allow-remote`);
    }
    const listen = parseAddress(args['listen'] as string);
    if (typeof listen === 'string' || listen.kind !== 'tcp') return wrong(`not an address to listen on: ${String(args['listen'])}; write 127.0.0.1:8080`);
    const quiet = Number(args['quiet']);
    if (!Number.isInteger(quiet) || quiet < 1) return wrong(`not a number of milliseconds: ${String(args['quiet'])}`);
    const cases = readCases('h1-').filter(({ id }) => id.startsWith(args['case'] as string));
    if (cases.length === 0) return wrong(`no case begins with ${String(args['case'])}`);
    return examine();
  },
};
