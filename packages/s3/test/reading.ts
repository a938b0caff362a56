/** Driving a source by hand: what it answers, where it stands, and what happens in between. */

import type { Positioned, SourceContext } from '@streamweld/core/connector';
import { afterEach } from 'vitest';
import type { S3Position } from '../src/position.ts';
import type { S3Source } from '../src/source.ts';

export interface Reading<T> {
  readonly items: T[];
  readonly answers: Positioned<T, S3Position>[];
  /** Where it stands in each lane. */
  readonly positions: Map<string, S3Position>;
  readonly source: S3Source<T>;
  pull(demand?: number): Promise<Positioned<T, S3Position> | undefined>;
  /** To the end. */
  readAll(demand?: number): Promise<T[]>;
  abort(): void;
  close(reason?: unknown): Promise<void>;
}

export type Positions = SourceContext<S3Position>['positions'];

/** Opens sources, and closes after each test those that are still open. */
export function useReadings(): <T>(
  source: S3Source<T>,
  positions?: Positions,
  settled?: (lane: string) => Promise<void>,
) => Promise<Reading<T>> {
  const open = new Set<() => Promise<void>>();
  afterEach(async () => {
    await Promise.all([...open].map((close) => close()));
  });
  return async <T>(
    source: S3Source<T>,
    positions: Positions = new Map(),
    settled: (lane: string) => Promise<void> = () => Promise.resolve(),
  ): Promise<Reading<T>> => {
    const controller = new AbortController();
    const close = async (): Promise<void> => {
      open.delete(close);
      await source.close();
    };
    open.add(close);
    const context = {
      positions,
      signal: controller.signal,
      settled,
    } as unknown as SourceContext<S3Position>;
    await source.open(context);
    const reading: Reading<T> = {
      items: [],
      answers: [],
      positions: new Map(),
      source,
      async pull(demand = 1000) {
        const answer = await source.pull(demand);
        if (answer === undefined) return undefined;
        for (const item of answer.items) reading.items.push(item);
        reading.answers.push(answer);
        reading.positions.set(answer.lane ?? '', answer.position);
        return answer;
      },
      async readAll(demand) {
        while ((await reading.pull(demand)) !== undefined);
        return reading.items;
      },
      abort: () => controller.abort(new Error('The run was aborted.')),
      close,
    };
    return reading;
  };
}
