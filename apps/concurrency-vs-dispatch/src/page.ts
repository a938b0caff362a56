/** The page of `--inspect`: whatever is run is shown there too, and can be paused and drained from there. */

import type { Watchable } from '@streamweld/core';
import type { Inspector } from '@streamweld/observe/inspector';
import { MODES } from './modes.ts';

/** One run of each mode can stand beside the others; what is older goes. */
const MOST = MODES.length;

export class Page implements AsyncDisposable {
  readonly #inspector: Inspector | undefined;
  readonly #shown: (() => void)[] = [];

  private constructor(inspector: Inspector | undefined) {
    this.#inspector = inspector;
  }

  /**
   * @param isWanted otherwise there is none, and nothing of it is loaded
   * @throws StreamWeldError SW_INSPECTOR_LISTEN_FAILED
   */
  static async open(isWanted: boolean): Promise<Page> {
    if (!isWanted) return new Page(undefined);
    const { inspector } = await import('@streamweld/observe/inspector');
    return new Page(await inspector([], { control: true, items: true }));
  }

  /** Whoever has it may look, and press the buttons. */
  get url(): string | undefined {
    return this.#inspector?.url;
  }

  show(pipeline: Watchable): void {
    if (this.#inspector === undefined) return;
    if (this.#shown.length === MOST) this.#shown.shift()?.();
    this.#shown.push(this.#inspector.add(pipeline));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inspector?.close();
  }
}
