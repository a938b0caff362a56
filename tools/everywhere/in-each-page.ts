/** Before each file of tests in a browser: what the tests, and not core, take for granted that Node has. */

// Core looks for what there is when it is loaded, and must find a browser.
import '@streamweld/core';
// Listens to who listens, before a test loads.
import './leaks-in-browsers.ts';
import { beforeEach } from 'vitest';
import { whyLeftOut } from './left-out.ts';

const there = globalThis as { setImmediate?: (callback: () => void) => void; process?: unknown };
if (!('document' in globalThis)) throw new Error('This is no browser.');

// Tests ask it for the size of the heap, which a page does not choose.
there.process ??= { env: {} };

/** A turn of the event loop, by a channel of its own. */
const { port1, port2 } = new MessageChannel();
const turns: (() => void)[] = [];
port1.addEventListener('message', () => turns.shift()?.());
port1.start();
there.setImmediate = (callback) => {
  turns.push(callback);
  port2.postMessage(null);
};

beforeEach(({ task, skip }) => {
  const { filepath } = task.file;
  const why = whyLeftOut('chromium', 'core', filepath.slice(filepath.lastIndexOf('/test/') + 1), task.name);
  if (why !== undefined) skip(why);
});
