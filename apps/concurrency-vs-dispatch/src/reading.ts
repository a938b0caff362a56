/** A run at one moment: what is shown of it, and what is explained. */

import type { PipelineState } from '@streamweld/core';
import type { Mode } from './modes.ts';
import type { Experiment } from './pipeline.ts';

export interface Reading {
  readonly mode: Mode;
  readonly state: PipelineState;
  readonly elapsedMs: number;
  readonly source: {
    readonly ms: number;
    /** Items that it has handed out. */
    readonly items: number;
    /** How long it had to wait for room so far, in milliseconds. */
    readonly waitedMs: number;
  };
  /** Of the pipeline. */
  readonly buffer: Level;
  readonly sinks: readonly SinkReading[];
}

/** Items in a buffer, those that are being written included. The rest of `size` is demand. */
export interface Level {
  readonly items: number;
  readonly size: number;
}

export interface SinkReading {
  readonly name: string;
  readonly ms: number;
  readonly items: number;
  /** How long it had nothing to write so far, in milliseconds. */
  readonly waitedMs: number;
  /** Its own at a dispatcher; nothing where the pipeline's is the only one. */
  readonly buffer: Level | undefined;
  /** All keys that it was given. */
  readonly keys: readonly string[];
  /** Those of its last items, the latest last. */
  lastKeys(max: number): readonly string[];
}

export function read({ mode, source, sinks, snapshot }: Experiment): Reading {
  const { pipeline, dispatcher } = snapshot();
  const [first, last] = [pipeline.stages.at(0), pipeline.stages.at(-1)];
  const { capacity = 0, demand = 0 } =
    pipeline.edges.find(({ buffer }) => buffer !== undefined)?.buffer ?? {};
  return {
    mode,
    state: pipeline.state,
    elapsedMs: pipeline.elapsedMs,
    source: { ms: source.pace.costMs, items: source.made, waitedMs: first?.waitedMs ?? 0 },
    buffer: { items: capacity - demand, size: capacity },
    sinks: sinks.map((sink, at) => {
      const status = dispatcher?.sinks[at];
      return {
        name: sink.name,
        ms: sink.pace.costMs,
        items: sink.notes.count,
        waitedMs: (status ?? last)?.waitedMs ?? 0,
        buffer: status && { items: status.buffered + status.inFlight, size: status.bufferSize },
        keys: sink.notes.keys,
        lastKeys: (max) => sink.notes.lastKeys(max),
      };
    }),
  };
}

/** What a time between two readings was spent on, and what moved. Shares are from 0 to 1. */
export interface Change {
  readonly ms: number;
  readonly source: { readonly items: number; readonly waited: number };
  readonly sinks: readonly {
    readonly items: number;
    readonly waited: number;
    /** Of all items that sinks took. */
    readonly share: number;
  }[];
}

/** @param before of the same run; nothing: since it began */
export function changeOf(now: Reading, before?: Reading): Change {
  const ms = now.elapsedMs - (before?.elapsedMs ?? 0);
  const waited = (nowMs: number, beforeMs = 0) =>
    ms <= 0 ? 0 : Math.min(1, Math.max(0, (nowMs - beforeMs) / ms));
  const moved = now.sinks.map((sink, at) => sink.items - (before?.sinks[at]?.items ?? 0));
  const all = moved.reduce((sum, items) => sum + items, 0);
  return {
    ms,
    source: {
      items: now.source.items - (before?.source.items ?? 0),
      waited: waited(now.source.waitedMs, before?.source.waitedMs),
    },
    sinks: now.sinks.map((sink, at) => ({
      items: moved[at] as number,
      waited: waited(sink.waitedMs, before?.sinks[at]?.waitedMs),
      share: all === 0 ? 0 : (moved[at] as number) / all,
    })),
  };
}
