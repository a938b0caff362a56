/** From a snapshot to the numbers that are reported of it. */

import type { Attributes } from '@opentelemetry/api';
import type {
  BufferSnapshot,
  ConcurrentPipeline,
  DispatcherSnapshot,
  PipelineSnapshot,
} from '@streamweld/core';
import { ATTRIBUTES, METRICS } from './names.ts';
import type { Subject } from './subject.ts';

/** Those that are read when they are collected. */
export type Observed = Exclude<keyof typeof METRICS, 'duration'>;

export interface Reading {
  readonly metric: Observed;
  readonly value: number;
  readonly attributes: Attributes;
}

/** Lanes of each source whose lag is told. */
const MOST_LANES = 1000;

/** Looks once. Costs as much as there are stages. */
export function readingsOf(subject: Subject): Reading[] {
  const snapshot = subject.look();
  return 'stages' in snapshot ? ofPipeline(subject, snapshot) : ofDispatcher(subject, snapshot);
}

function ofPipeline(subject: Subject, snapshot: PipelineSnapshot): Reading[] {
  const { stages, edges, retried, deadLettered } = snapshot;
  const readings: Reading[] = [];
  for (const { id, kind, items: own } of stages) {
    const attributes = subject.attributesOf(id);
    if (kind === 'sink') {
      readings.push(itemsOf('in', own, attributes), { metric: 'retries', value: retried, attributes });
      continue;
    }
    readings.push(itemsOf('out', own, attributes));
    if (kind === 'operator') readings.push(itemsOf('in', itemsInto(id, snapshot), attributes));
  }
  for (const { to, buffer } of edges)
    if (buffer !== undefined) readings.push(...ofBuffer(buffer, subject.attributesOf(to)));
  // Items come there from its operators too.
  readings.push({ metric: 'deadLetters', value: deadLettered, attributes: subject.attributes });
  if (snapshot.state !== 'idle') readings.push(...lagOf(subject));
  return readings;
}

function itemsInto(id: string, { stages, edges }: PipelineSnapshot): number {
  const before = edges.filter(({ to }) => to === id).map(({ from }) => from);
  return stages.reduce((sum, stage) => (before.includes(stage.id) ? sum + stage.items : sum), 0);
}

function ofDispatcher(subject: Subject, { sinks }: DispatcherSnapshot): Reading[] {
  return sinks.flatMap((sink) => {
    const { bufferSize: capacity, buffered: queued, inFlight, demand } = sink;
    const attributes = subject.attributesOf(sink.id);
    return [
      itemsOf('in', sink.delivered, attributes),
      ...ofBuffer({ capacity, queued, inFlight, demand }, attributes),
      { metric: 'retries' as const, value: sink.retried, attributes },
      { metric: 'deadLetters' as const, value: sink.deadLettered, attributes },
    ];
  });
}

function itemsOf(direction: 'in' | 'out', value: number, attributes: Attributes): Reading {
  return { metric: 'items', value, attributes: { ...attributes, [ATTRIBUTES.direction]: direction } };
}

function ofBuffer({ capacity, queued, inFlight, demand }: BufferSnapshot, attributes: Attributes): Reading[] {
  const inState = (state: string): Attributes => ({ ...attributes, [ATTRIBUTES.state]: state });
  return [
    { metric: 'bufferItems', value: queued, attributes: inState('queued') },
    { metric: 'bufferItems', value: inFlight, attributes: inState('in_flight') },
    { metric: 'bufferCapacity', value: capacity, attributes },
    { metric: 'demand', value: demand, attributes },
  ];
}

function lagOf(subject: Subject): Reading[] {
  const lanes = (subject.target as Partial<ConcurrentPipeline<unknown>>).lanes?.(MOST_LANES) ?? [];
  return lanes.flatMap(({ source, lane, lag }) => {
    if (lag === undefined) return [];
    const attributes = subject.attributesOf(source);
    return {
      metric: 'lag' as const,
      value: lag,
      attributes: lane === '' ? attributes : { ...attributes, [ATTRIBUTES.lane]: lane },
    };
  });
}
