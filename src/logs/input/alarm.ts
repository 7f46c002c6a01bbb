/** Sleeps until a time, or until it is woken. */
export class Alarm {
  #wakeUp: (() => void) | undefined;

  /** @param milliseconds at most */
  async sleep(milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wakeUp = resolve;
      timer = setTimeout(resolve, milliseconds);
    });
    clearTimeout(timer);
    this.#wakeUp = undefined;
  }

  wake(): void {
    this.#wakeUp?.();
  }
}
