import { frameFault, type ErrorCode, type FrameFault } from '../../http2/index.ts';
import type { Budgets } from './budgets.ts';
import type { StreamExchange, StreamHost } from './stream-exchange.ts';

/** What faults ask of their connection. */
export interface FaultHost extends StreamHost {
  readonly budgets: Budgets;
  /** GOAWAY with the code, and the end of everything. */
  fail(fault: FrameFault): void;
}

/** What is done about a client that does wrong: something to its stream, and to the connection once it is too much. */
export class Faults {
  readonly #host: FaultHost;

  constructor(host: FaultHost) {
    this.#host = host;
  }

  /** RFC 9113 §5.4.1. */
  fail(code: ErrorCode, details: string): void {
    this.#host.fail(frameFault(code, details));
  }

  /** The connection ends if there is a fault. */
  end(fault: FrameFault | undefined): void {
    if (fault !== undefined) this.#host.fail(fault);
  }

  /** RFC 9113 §5.4.2. Every such reset is one that the client has provoked (CVE-2025-8671). */
  refuse(stream: StreamExchange, code: ErrorCode, details: string): void {
    stream.refuse(details);
    this.#host.reset(stream, code);
    this.provoked();
  }

  /** @param weight as how many resets it counts */
  provoked(weight = 1): void {
    const { budgets, context } = this.#host;
    this.end(budgets.reset(context.now(), weight));
  }

  /** A frame that brings nothing. */
  overhead(): void {
    const { budgets, context, outbound } = this.#host;
    this.end(budgets.overhead(context.now(), outbound.dataFrames));
  }

  control(): void {
    const { budgets, context } = this.#host;
    this.end(budgets.control(context.now()));
  }
}
