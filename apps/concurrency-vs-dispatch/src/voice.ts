/** Says what a Ctrl-C did where one looks: on stderr, or where the terminal is drawn meanwhile. */
export class Voice {
  #say = onStderr;

  say(line: string): void {
    this.#say(line);
  }

  /** @param say says it for as long as the task takes */
  async during<R>(say: (line: string) => void, task: () => Promise<R>): Promise<R> {
    this.#say = say;
    try {
      return await task();
    } finally {
      this.#say = onStderr;
    }
  }
}

function onStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}
