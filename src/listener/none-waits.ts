export interface AcceptQueue {
  /** Number of connections accepted so far. */
  accepted(): number;
  /** Milliseconds of a clock that never jumps. */
  now(): number;
  /** Resolves behind the next look of the event loop at its sockets. */
  look(): Promise<void>;
  /** Nobody needs to know any more. */
  over(): boolean;
}

/** Milliseconds that are always short. An event loop with little to do takes a fifth of it for a turn. */
const short = 0.1;

/**
 * Milliseconds that a turn of the event loop may have taken for what it saw to be taken for what is. Who waits long for a
 * quiet moment takes one that is less quiet: a hundredth of the wait.
 */
export function shortTurn(waited: number): number {
  return Math.max(short, waited / 100);
}

/**
 * Resolves when nobody waits to be accepted, right behind a look at the queue that found it empty. The event loop looks
 * (and accepts one connection) once a turn and then serves whoever else it has seen, which may take milliseconds in which
 * many connect. So only a short turn without anybody new will do. Resolves in any case after `most` milliseconds.
 */
export async function noneWaits(queue: AcceptQueue, most: number): Promise<void> {
  const start = queue.now();
  // What is left of a turn that has begun says nothing.
  await queue.look();
  for (let before = queue.now(); !queue.over();) {
    const seen = queue.accepted();
    await queue.look();
    const after = queue.now();
    if (seen === queue.accepted() && after - before <= shortTurn(after - start)) return;
    if (after - start >= most) return;
    before = after;
  }
}

/** The look of Node's event loop: immediates run behind it. */
export function nextLook(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
