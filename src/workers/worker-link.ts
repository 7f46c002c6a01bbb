import type { ChildProcess, SendHandle } from 'node:child_process';
import { ConfigError } from '../options/index.ts';
import type { CeilingNews, CeilingOrder } from './ceiling-message.ts';
import type { SocketAnswer, SocketWish } from './primary-sockets.ts';
import { mostUnderWay, type PeerMessage } from './peers.ts';
import type { AnswerMessage, OrderName, Orders } from './order.ts';

/** A worker as its primary sees it: a process that answers orders. */
export class WorkerLink {
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  #next = 1;
  #passing = 0;

  /** @param heard told what the worker says about sockets, and what its filters tell those of other workers,
   *   and what it says of ceilings */
  constructor(
    process: ChildProcess,
    heard: { wished(wish: SocketWish): void; told(message: PeerMessage): void; ceiling(news: CeilingNews): void },
  ) {
    this.#process = process;
    process.on('message', (message: AnswerMessage | SocketWish | PeerMessage | CeilingNews) => {
      if ('peer' in message) heard.told(message);
      else if ('ceiling' in message) heard.ceiling(message);
      else if ('socket' in message) heard.wished(message);
      else this.#hear(message);
    });
    // Of sending to a process that has ended; `exit` tells all there is to know.
    process.on('error', () => {});
    this.exited = new Promise((resolve) => {
      process.once('exit', (code, signal) => {
        for (const waiting of this.#waiting.values()) waiting.reject(new Error('the worker has ended'));
        this.#waiting.clear();
        resolve(signal ?? code ?? 1);
      });
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /**
   * @param patience milliseconds; left out, as long as the worker lives
   * @throws ConfigError what the worker says of a configuration
   * @throws Error when it cannot, has ended, or takes too long
   */
  ask<N extends OrderName>(name: N, order: Orders[N]['order'], patience?: number): Promise<Orders[N]['answer']> {
    const id = this.#next++;
    return new Promise<Orders[N]['answer']>((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(id);
      };
      const settle = {
        resolve(answer: unknown) {
          done();
          resolve(answer as Orders[N]['answer']);
        },
        reject(error: Error) {
          done();
          reject(error);
        },
      };
      this.#waiting.set(id, settle);
      if (patience !== undefined) {
        timer = setTimeout(() => settle.reject(new Error('the worker does not answer in time')), patience);
      }
      this.#process.send({ id, name, ...order }, (error: Error | null) => {
        if (error !== null) settle.reject(error);
      });
    });
  }

  /** Answers a wish, with the socket if there is one. */
  give(answer: SocketAnswer, handle?: unknown): void {
    // One that has ended needs none.
    this.#process.send(answer, handle as SendHandle, {}, () => {});
  }

  /** Passes on what a filter of another worker tells. One that does not read misses it. */
  pass(message: PeerMessage): void {
    if (this.#passing >= mostUnderWay) return;
    this.#passing++;
    this.#process.send(message, () => this.#passing--);
  }

  /** Tells it of its share of a ceiling. One that has ended needs none. */
  tell(order: CeilingOrder): void {
    this.#process.send(order, () => {});
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #hear(message: AnswerMessage): void {
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    if (!('failed' in message)) return waiting.resolve(message.answer);
    waiting.reject(message.faults === undefined ? new Error(message.failed) : new ConfigError(message.faults));
  }
}
