/** A source that does what another does, and fails where a plan says so. */

import type { Awaitable, Positioned, Source, SourceContext } from '@streamweld/core/connector';
import { type FaultPlan, Faults } from './faults.ts';

export type SourceCall = 'open' | 'pull' | 'stop' | 'commit' | 'close';

export interface FaultySource<T, P> extends Source<T, P> {
  readonly faults: Faults<SourceCall>;
}

type Answer<T, P> = readonly T[] | Positioned<T, P> | undefined;

/**
 * Wraps a source. It has the methods that the source has, so what is optional stays so.
 *
 * @example
 * const source = faultySource(new OrdersSource(), { script: [{ on: 'pull', call: 3, fault: 'reject' }] });
 */
export function faultySource<T, P>(source: Source<T, P>, plan: FaultPlan<SourceCall>): FaultySource<T, P> {
  const faults = new Faults(plan);
  let context: SourceContext<P> | undefined;
  const lanes = new Map<string, P>();
  const meet = <R>(on: SourceCall, call: () => Awaitable<R>): Awaitable<R> =>
    faults.meet(faults.next(on), call, { signal: context?.signal, fail: context?.fail.bind(context) });

  function remember(answer: Answer<T, P>): Answer<T, P> {
    if (answer !== undefined && 'position' in answer) lanes.set(answer.lane ?? '', answer.position);
    return answer;
  }

  function pull(demand: number): Awaitable<Answer<T, P>> {
    const fault = faults.next('pull');
    if (fault === 'empty') {
      // Where it stands already: such a batch says nothing new, and must do no harm.
      const [known] = lanes;
      if (known !== undefined) {
        faults.count(fault);
        return { items: [], lane: known[0], position: known[1] };
      }
    }
    if (fault === 'short' && demand > 1) faults.count(fault);
    const asked = fault === 'short' ? 1 : demand;
    const answer = faults.meet(fault, () => source.pull(asked), {
      signal: context?.signal,
      fail: context?.fail.bind(context),
    });
    return isPromise(answer) ? answer.then(remember) : remember(answer);
  }

  const { name } = source;
  return {
    ...(name === undefined ? undefined : { name }),
    faults,
    open(given) {
      context = given;
      return meet('open', () => source.open?.(given));
    },
    pull,
    ...(source.stop === undefined ? undefined : { stop: () => meet('stop', () => source.stop?.()) }),
    ...(source.commit === undefined
      ? undefined
      : { commit: (positions: ReadonlyMap<string, P>) => meet('commit', () => source.commit?.(positions)) }),
    ...(source.comparePositions === undefined
      ? undefined
      : { comparePositions: (a: P, b: P) => source.comparePositions?.(a, b) ?? 0 }),
    close: (reason) => meet('close', () => source.close?.(reason)),
  };
}

function isPromise<R>(answer: Awaitable<R>): answer is PromiseLike<R> {
  return typeof (answer as { then?: unknown } | null | undefined)?.then === 'function';
}
