/**
 * Items of one stage, looked at when somebody asks: those of the next batch that it is handed, or of a source hands out.
 * Nothing is watched before and after, and what is kept is text.
 */

import type { Watchable } from '@streamweld/core';
import { runtime } from '@streamweld/core/connector';
import { previewOf } from './preview.ts';
import type { WireItems } from './wire.ts';

/** Items of a batch that are shown. */
const SHOWN = 5;
const WAIT_MS = 2000;

/** What is shown of an item; nothing given, the item itself. */
export type Redact = (item: unknown) => unknown;

/** Waits two seconds for a batch. @param id of the stage, as in a sample */
export function nextItems(target: Watchable, id: string, redact: Redact | undefined): Promise<WireItems> {
  return new Promise((resolve) => {
    let unobserve = (): void => {};
    const end = (items: WireItems): void => {
      runtime.clearTimer(timer);
      unobserve();
      resolve(items);
    };
    const timer = runtime.setTimer(() => end({ of: 0, items: [] }), WAIT_MS);
    (timer as { unref?: () => void }).unref?.();
    const show = (batch: readonly unknown[] | undefined): void => {
      if (batch === undefined || batch.length === 0) return;
      end({ of: batch.length, items: batch.slice(0, SHOWN).map((item) => textOf(item, redact)) });
    };
    const place = placeOf(target, withoutOwnName(target, id));
    unobserve = place.target.observe((operation) => {
      if (operation.id !== place.id) return undefined;
      if (operation.kind === 'pull') return (ended) => show(ended.batch);
      show(operation.batch);
      return undefined;
    });
  });
}

function textOf(item: unknown, redact: Redact | undefined): string {
  if (redact === undefined) return previewOf(item);
  try {
    return previewOf(redact(item));
  } catch {
    // What it threw may quote what it was to hide.
    return '[`items` threw]';
  }
}

interface Place {
  readonly target: Watchable;
  /** As that target itself calls it. */
  readonly id: string;
}

/** Ids of the sinks of a dispatcher that is watched by itself begin with its name, which it does not know them by. */
function withoutOwnName(target: Watchable, id: string): string {
  const snapshot = target.snapshot() as { readonly stages?: unknown; readonly name: string };
  return snapshot.stages === undefined && id.startsWith(`${snapshot.name}/`)
    ? id.slice(snapshot.name.length + 1)
    : id;
}

/** Ids of what is behind a stage begin with the stage's own: the longest that leads on is taken. */
function placeOf(target: Watchable, id: string): Place {
  for (const [at, inner] of target.behind())
    if (id.startsWith(`${at}/`)) return placeOf(inner, id.slice(at.length + 1));
  return { target, id };
}
