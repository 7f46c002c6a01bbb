import type { Socket } from 'node:net';
import type { Downstream, LocalReply } from '../../http/index.ts';
import { appendBytes, HeadReader, isWireFault, parseRequestHead, type WireFault } from '../../http1/index.ts';
import { readAsStream, readDirectly } from '../../socket/read-directly.ts';
import { refuse } from '../admit.ts';
import type { ConnectionCut } from '../cut-connections.ts';
import type { WireContext } from './codec.ts';
import { FlushProgress } from '../flush-progress.ts';
import { ResponsePace } from '../response-pace.ts';
import { Turn } from './turn.ts';

/** Bytes of requests to come that are kept while one is being answered; then reading stops. */
const mostWaiting = 64 * 1024;
/** After our last answer, bytes and milliseconds that are read and thrown away so that the client gets to read it (RFC 9112 §9.6). */
const mostLingering = 1024 * 1024;
const lingerTime = 1000;
/** Milliseconds in which an answer still reaches a client that has closed its side: most such clients are simply gone. */
const halfCloseGrace = 50;

/** Milliseconds after which a connection, new or just used, is not expected to bring a request in the next moment. */
const requestGrace = 1000;

const nothing = Buffer.alloc(0);

/**
 * One client's HTTP/1 connection: bytes to requests and responses to bytes, one exchange at a time and in the order of the
 * requests (RFC 9112 §9.3.2). What is malformed is answered after its predecessors, and ends the connection.
 */
export class Http1Connection {
  readonly downstream: Downstream;
  readonly #socket: Socket;
  readonly #context: WireContext;
  readonly #reader: HeadReader;
  #turn: Turn | undefined;
  /** `lingering`: the last answer is out. `tunnel`: the connection has left HTTP. */
  #state: 'open' | 'lingering' | 'tunnel' | 'closed' = 'open';
  /** Bytes of the next requests, of which `#waitingBytes` are here. In one piece: there may be as many reads as bytes. */
  #waiting: Buffer = nothing;
  #waitingBytes = 0;
  /** The client does not read the answers: no further request is taken until it does. */
  #blocked = false;
  #lingered = 0;
  #served = 0;
  /** A turn is being begun further up: who is served by it goes on there. */
  #beginning = false;
  #quietSince: number;
  readonly #flush: FlushProgress;
  readonly #pace: ResponsePace;
  /** On the context's clock: when something must have happened; Infinity when nothing is awaited. */
  deadline: number;

  constructor(socket: Socket, downstream: Downstream, context: WireContext) {
    this.#socket = socket;
    this.#flush = new FlushProgress(socket);
    this.#pace = new ResponsePace(context.config.min_response_rate);
    this.downstream = downstream;
    this.#context = context;
    this.#reader = new HeadReader(context.limits.maxHeaderBytes);
    this.#quietSince = context.now();
    this.deadline = this.#in(context.config.request_headers_timeout);
    socket.setNoDelay?.(true);
    readDirectly(socket, this.#read);
    socket.on('drain', this.#drained);
    socket.on('end', () => this.#halfClosed());
    socket.on('error', () => {});
    socket.on('close', () => this.#closed());
  }

  get idle(): boolean {
    return (
      this.#state === 'open' &&
      this.#turn === undefined &&
      !this.#reader.begun &&
      this.#waitingBytes === 0 &&
      this.#socket.writableLength === 0
    );
  }

  get idleSince(): number | undefined {
    // One that has just come is about to speak.
    const fresh = this.#served === 0 && this.#context.now() - this.#quietSince < requestGrace;
    return this.idle && !fresh && !this.#socket.destroyed ? this.#quietSince : undefined;
  }

  /** To make room for another connection. */
  close(): void {
    this.#socket.destroy();
  }

  /** Nobody loses an answer by it. The request of a new connection, or of one just used, may be on its way, and is waited for. */
  closeIfIdle(): void {
    if (this.idle && this.#context.now() - this.#quietSince >= requestGrace) this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Called now and then. @param now on the context's clock */
  look(now: number): void {
    if (this.deadline <= now) this.#expire();
    this.#turn?.look(now);
    if (this.#state === 'tunnel') return;
    const unread = this.#socket.writableLength > 0;
    const timeout = this.#context.config.stream_flush_timeout;
    if (unread && timeout > 0 && this.#flush.stuckFor(now) >= timeout) this.#unread('stream_flush_timeout');
    else if (this.#pace.tooSlow(now, unread ? this.#flush.taken : 0, unread)) this.#unread('response_too_slow');
  }

  #expire(): void {
    this.deadline = Infinity;
    if (this.#turn !== undefined) this.#turn.late();
    else if (this.#state === 'open' && this.#reader.begun)
      this.#refuse({ fault: true, status: 408, details: 'request_headers_timeout' });
    else
      this.#cut(this.#state === 'open' ? (this.#served > 0 ? 'idle_timeout' : 'request_headers_timeout') : undefined);
  }

  /** The client does not read the answer, or too slowly. */
  #unread(reason: ConnectionCut): void {
    if (this.#turn === undefined) this.#cut(reason);
    else this.#turn.unread(reason);
  }

  /** Closes it without an answer, because nobody has asked or nobody reads. */
  #cut(reason: ConnectionCut | undefined): void {
    if (reason !== undefined) this.#context.cut(reason);
    this.#socket.destroy();
  }

  readonly #read = (chunk: Buffer): void => {
    if (this.#state === 'lingering') {
      this.#lingered += chunk.length;
      if (this.#lingered > mostLingering) this.#socket.destroy();
    } else if (this.#blocked) {
      this.#keep(chunk);
    } else if (this.#turn === undefined) {
      this.#readHead(chunk);
    } else {
      const behind = this.#turn.read(chunk);
      if (behind === undefined || behind.length === 0) return;
      if (this.#turn === undefined && this.#state === 'open' && !this.#blocked) this.#readHead(behind);
      else this.#keep(behind);
    }
  };

  /** Bytes of the next request, whose turn has not come. */
  #keep(bytes: Buffer): void {
    this.#waiting = this.#waitingBytes === 0 ? bytes : appendBytes(this.#waiting, this.#waitingBytes, bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > mostWaiting) this.#socket.pause();
  }

  #readHead(bytes: Buffer): void {
    if (!this.#reader.begun && this.#served > 0) this.deadline = this.#in(this.#context.config.request_headers_timeout);
    const read = this.#reader.read(bytes);
    if (read === undefined) return;
    if (isWireFault(read)) return this.#refuse(read);
    const head = parseRequestHead(read.text, this.#context.limits);
    if (isWireFault(head)) return this.#refuse(head);
    this.deadline = Infinity;
    const turn = new Turn(this.#socket, this.downstream, this.#context, head, read.rest, this.#turnHost);
    this.#turn = turn;
    const behind = turn.read(read.rest);
    if (behind !== undefined && behind.length > 0) this.#keep(behind);
    this.#begin(turn);
  }

  /** Answers that are at hand end a turn before `begin` returns: those who wait are then served here, one after the other. */
  #begin(turn: Turn, refused?: LocalReply): void {
    const outermost = !this.#beginning;
    this.#beginning = true;
    turn.begin(refused);
    if (!outermost) return;
    this.#beginning = false;
    this.#readWaiting();
  }

  /** The answer to what is not a request. Its framing cannot be trusted, so nothing after it is read. */
  #refuse(fault: WireFault): void {
    this.deadline = Infinity;
    this.#turn = new Turn(this.#socket, this.downstream, this.#context, undefined, nothing, this.#turnHost);
    this.#begin(this.#turn, refuse(fault.status, fault.details));
  }

  readonly #turnHost = {
    finished: (keepAlive: boolean): void => {
      this.#turn = undefined;
      if (this.#state !== 'open') return;
      this.#served++;
      this.#quietSince = this.#context.now();
      if (!keepAlive) return this.#linger();
      if (this.#socket.writableNeedDrain) {
        // Whoever asks and asks and does not read the answers would fill our memory with them.
        this.#blocked = true;
        this.deadline = Infinity;
        this.#socket.pause();
        return;
      }
      this.#next();
    },
    /** Milliseconds until the rest of the request must be here; 0 is off. */
    awaitRequest: (milliseconds: number): void => {
      this.deadline = this.#in(milliseconds);
    },
    arrived: (): void => {
      this.deadline = Infinity;
    },
    /** The socket belongs to a tunnel from now on. */
    leaveHttp: (): void => {
      this.#state = 'tunnel';
      this.deadline = Infinity;
      readAsStream(this.#socket, this.#read);
      this.#socket.removeListener('drain', this.#drained);
      this.#socket.pause();
    },
    /** It was offered a tunnel, and was given an ordinary answer instead. */
    lingerAfterAnswer: (): void => {
      this.#turn = undefined;
      readDirectly(this.#socket, this.#read);
      this.#linger();
    },
  };

  #next(): void {
    this.deadline = this.#in(this.#context.config.idle_timeout);
    if (!this.#beginning) this.#readWaiting();
  }

  #readWaiting(): void {
    this.#beginning = true;
    while (this.#waitingBytes > 0 && this.#turn === undefined && this.#state === 'open' && !this.#blocked) {
      const bytes = this.#waiting.subarray(0, this.#waitingBytes);
      this.#waiting = nothing;
      this.#waitingBytes = 0;
      this.#socket.resume();
      this.#readHead(bytes);
    }
    this.#beginning = false;
  }

  readonly #drained = (): void => {
    this.#flush.progressed();
    if (this.#blocked) {
      this.#blocked = false;
      this.#socket.resume();
      this.#next();
    }
    this.#turn?.writable();
  };

  #linger(): void {
    if (this.#state === 'closed') return;
    this.#state = 'lingering';
    this.#waiting = nothing;
    this.#waitingBytes = 0;
    this.deadline = Infinity;
    // The client gets its time to read the answer, and only then the time to notice that it was the last.
    this.#socket.end(() => {
      if (this.#state === 'lingering') this.deadline = this.#in(lingerTime);
    });
    this.#socket.resume();
  }

  #halfClosed(): void {
    if (this.#state === 'tunnel') return;
    if (this.#turn === undefined) {
      this.#socket.end();
      return;
    }
    const timer = setTimeout(() => this.#socket.destroy(), halfCloseGrace);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #closed(): void {
    this.#state = this.#state === 'tunnel' ? 'tunnel' : 'closed';
    this.deadline = Infinity;
    this.#turn?.gone();
  }

  #in(milliseconds: number): number {
    return milliseconds === 0 ? Infinity : this.#context.now() + milliseconds;
  }
}
