/** Withdraws a limit; does nothing once it was met. */
export type LiftLimit = () => void;

/**
 * Calls `up` when something has taken too long that a socket could have ended. An event loop that stood still runs its
 * timers before it reads its sockets, so what has arrived meanwhile is read first: it was not the other side that was late.
 * It keeps no process alive; the socket does.
 * @param milliseconds from now
 */
export function timeLimit(milliseconds: number, up: () => void): LiftLimit {
  let afterReading: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    afterReading = setImmediate(up);
  }, milliseconds).unref();
  return () => {
    clearTimeout(timer);
    clearImmediate(afterReading);
  };
}
