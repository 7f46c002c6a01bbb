import type { OutputConfig, PushConfig } from './config.ts';
import type { PushDeps } from './push-output.ts';
import { RunningOutputs } from './running-outputs.ts';
import type { Snapshot } from './snapshot.ts';

export interface Push {
  /** Gives a snapshot to all outputs. Resolves when it waits in their queues; never rejects. */
  offer(snapshot: Snapshot): Promise<void>;
  /**
   * Goes on with these outputs, and with what waits.
   * @returns what takes effect at the next start only
   * @throws Node's error when the folder of a new queue cannot be used; then nothing has changed
   */
  replace(outputs: readonly OutputConfig[]): Promise<readonly string[]>;
  /**
   * Ends all series and delivers what can be delivered within `close_timeout`.
   * @returns how many batches are lost, because they waited in memory
   */
  close(): Promise<number>;
}

/** @throws Node's error when the folder of a queue cannot be used */
export async function createPush({ outputs }: PushConfig, deps: PushDeps): Promise<Push> {
  const running = new RunningOutputs(deps);
  await running.replace(outputs);
  return {
    offer: (snapshot) => running.offer(snapshot),
    replace: (others) => running.replace(others),
    close: () => running.close(),
  };
}
