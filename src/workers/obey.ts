import { parseConfig } from '../config/index.ts';
import { ConfigError } from '../options/index.ts';
import { createProcessLog } from '../process-log.ts';
import { Server } from '../server.ts';
import { Stats } from '../stats/index.ts';
import { started } from '../started.ts';
import { surviveErrors } from '../survive-errors.ts';
import { describeFamilies } from './merge-metrics.ts';
import { PrimarySockets, type SocketAnswer } from './primary-sockets.ts';
import type { CeilingOrder } from './ceiling-message.ts';
import { Peers, type PeerMessage } from './peers.ts';
import type { AnswerMessage, OrderMessage, Orders, WorkerShown } from './order.ts';
import { WorkerCeilings } from './worker-ceilings.ts';

/** Carries out the orders of the primary, from the start of a server to its end. */
export function obey(): void {
  let server: Server | undefined;
  let ceilings: WorkerCeilings | undefined;
  const sockets = new PrimarySockets((wish) => process.send!(wish));
  const peers = new Peers((message, sent) => process.send!(message, undefined, undefined, sent));

  async function start({
    file,
    source,
    worker,
    workers,
    level,
  }: Orders['start']['order']): Promise<Orders['start']['answer']> {
    const loaded = await parseConfig(source.text, file, { hash: source.hash });
    const log = createProcessLog({
      ...loaded.config.log,
      level,
      colour: process.stderr.isTTY,
      fields: { worker },
    });
    const stats = new Stats();
    surviveErrors({ stats, log });
    ceilings = new WorkerCeilings({ worker, workers }, (news) => process.send!(news, undefined, undefined, () => {}));
    server = await Server.start(loaded, {
      log,
      stats,
      worker: { openSocket: sockets.open, peers: peers.of, ceilings },
    });
    started();
    return { listening: server.listening() };
  }

  async function carryOut(order: OrderMessage): Promise<unknown> {
    if (order.name === 'start') return start(order);
    if (order.name === 'ping') return null;
    if (server === undefined) throw new Error('not started');
    switch (order.name) {
      case 'reload':
        return server.reload(order.reason, { dryRun: order.dryRun, source: order.source });
      case 'show':
        return shown(server);
      case 'metrics':
        return describeFamilies(server.stats);
      case 'level':
        server.log.level = order.level;
        return null;
      case 'startDraining':
        server.startDraining();
        return null;
      case 'drain':
        return server.drain();
      case 'stop':
        await server.stop();
        return null;
    }
  }

  process.on('message', (order: OrderMessage | SocketAnswer | PeerMessage | CeilingOrder, handle: unknown) => {
    if ('peer' in order) return peers.hear(order);
    if ('ceiling' in order) return ceilings?.hear(order);
    if ('socket' in order) return sockets.hear(order, handle);
    const { id, name } = order;
    void carryOut(order)
      .then(
        (answer): AnswerMessage => ({ id, answer }),
        (error: unknown): AnswerMessage => ({
          id,
          failed: error instanceof Error ? error.message : String(error),
          ...(error instanceof ConfigError ? { faults: error.faults } : {}),
        }),
      )
      .then((message) => {
        const last = name === 'drain' || name === 'stop' || (name === 'start' && 'failed' in message);
        // A primary that does not hear it has gone, and so shall we.
        process.send!(message, undefined, undefined, () => {
          if (last) process.exit(0);
        });
      });
  });
}

async function shown(server: Server): Promise<WorkerShown> {
  const { view } = server;
  const { state, uptime_seconds, overload = [] } = view.serverInfo();
  return { state, uptime_seconds, overload, clusters: await view.clusters(), listeners: await view.listeners() };
}
