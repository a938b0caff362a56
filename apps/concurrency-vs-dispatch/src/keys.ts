/** The keys of a terminal, each as soon as it is pressed, and what they do. */

import { emitKeypressEvents } from 'node:readline';
import { MODES, type Mode } from './modes.ts';

export type Action =
  | { readonly does: 'choose'; readonly by: 1 | -1 }
  | { readonly does: 'pace'; readonly by: 1 | -1 }
  | { readonly does: 'mode'; readonly mode: Mode }
  | { readonly does: 'pause' | 'end' | 'stop' };

interface Key {
  readonly name?: string | undefined;
  readonly ctrl?: boolean | undefined;
  readonly sequence?: string | undefined;
}

/** @returns nothing for a key that does nothing */
export function actionOf({ name, ctrl, sequence = '' }: Key): Action | undefined {
  if (ctrl === true) return name === 'c' ? { does: 'stop' } : undefined;
  const mode = MODES[Number(sequence) - 1];
  if (mode !== undefined) return { does: 'mode', mode };
  switch (name ?? sequence) {
    case 'up':
    case 'k':
      return { does: 'choose', by: -1 };
    case 'down':
    case 'j':
      return { does: 'choose', by: 1 };
    case 'left':
    case 'h':
    case '-':
      return { does: 'pace', by: -1 };
    case 'right':
    case 'l':
    case '+':
      return { does: 'pace', by: 1 };
    case 'space':
      return { does: 'pause' };
    case 'q':
    case 'return':
    case 'escape':
      return { does: 'end' };
    default:
      return undefined;
  }
}

/** Hears every key until it is closed. Ctrl-C is one of them: it does not come as a signal meanwhile. */
export class Keys {
  readonly #onKey: (text: string | undefined, key: Key) => void;

  constructor(heard: (action: Action) => void) {
    this.#onKey = (_, key) => {
      const action = actionOf(key);
      if (action !== undefined) heard(action);
    };
    emitKeypressEvents(process.stdin);
    process.stdin.on('keypress', this.#onKey);
    process.stdin.setRawMode(true);
    process.stdin.resume();
  }

  close(): void {
    process.stdin.off('keypress', this.#onKey);
    process.stdin.setRawMode(false);
    process.stdin.pause();
  }
}

/** What an item may take, in milliseconds, from key to key. */
const STEPS_MS = [0, 0.5, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000];

/** The next slower (−1) or faster (1) step. */
export function stepFrom(ms: number, by: 1 | -1): number {
  if (by === 1) return STEPS_MS.findLast((step) => step < ms) ?? 0;
  return STEPS_MS.find((step) => step > ms) ?? (STEPS_MS.at(-1) as number);
}
