/** What a producer hears from the app: to stop. It hears it too where the app is gone. */

export class Told {
  isToStop = false;
  #wake: (() => void) | undefined;
  readonly stop: Promise<void> = new Promise((resolve) => (this.#wake = resolve));

  constructor() {
    const stop = () => {
      this.isToStop = true;
      this.#wake?.();
    };
    process.on('message', stop);
    process.on('disconnect', stop);
    // It was gone before this began to listen.
    if (!process.connected) stop();
  }

  /** The app waits for nothing more of it. */
  leave(): void {
    if (process.connected) process.disconnect();
  }
}
