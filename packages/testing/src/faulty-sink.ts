/** A sink that does what another does, and fails where a plan says so. */

import type { Accepted, Awaitable, Sink, SinkContext, WriteContext } from '@streamweld/core/connector';
import { type FaultPlan, Faults } from './faults.ts';

export type SinkCall = 'open' | 'write' | 'flush' | 'keep' | 'close';

export interface FaultySink<T> extends Sink<T> {
  readonly faults: Faults<SinkCall>;
}

/**
 * Wraps a sink. It has the methods and the properties that the sink has, so what is optional stays so.
 *
 * @example
 * const sink = faultySink(new OrdersSink(), { chances: { write: { reject: 0.1, lost: 0.05 } }, seed: 7 });
 */
export function faultySink<T>(sink: Sink<T>, plan: FaultPlan<SinkCall>): FaultySink<T> {
  const faults = new Faults(plan);
  let context: SinkContext | undefined;
  /** What is accepted and not durable: a flush waits for it (K7). */
  const late = new Set<Promise<void>>();
  const meet = <R>(on: SinkCall, call: () => Awaitable<R>, signal = context?.signal): Awaitable<R> =>
    faults.meet(faults.next(on), call, { signal, fail: context?.fail.bind(context) });

  function write(batch: readonly T[], given: WriteContext): Awaitable<void | Accepted> {
    const fault = faults.next('write');
    if (fault === 'late') {
      faults.count(fault);
      return Promise.resolve(sink.write(batch, given)).then((answer) => {
        const durable = Promise.all([faults.sleep(), answer?.durable]).then(() => {});
        const over = (): void => void late.delete(durable);
        late.add(durable);
        durable.then(over, over);
        return { durable };
      });
    }
    return faults.meet(fault, () => sink.write(batch, given), {
      signal: given.signal,
      fail: context?.fail.bind(context),
    });
  }

  const { name, concurrency, atomic, keepsPositions, batching } = sink;
  return {
    faults,
    ...(name === undefined ? undefined : { name }),
    ...(concurrency === undefined ? undefined : { concurrency }),
    ...(atomic === undefined ? undefined : { atomic }),
    ...(keepsPositions === undefined ? undefined : { keepsPositions }),
    ...(batching === undefined ? undefined : { batching }),
    open(given) {
      context = given;
      return meet('open', () => sink.open?.(given));
    },
    write,
    ...(sink.positions === undefined
      ? undefined
      : { positions: () => sink.positions?.() ?? new Map<string, unknown>() }),
    ...(sink.ahead === undefined ? undefined : { ahead: () => sink.ahead?.() ?? new Map<string, unknown>() }),
    ...(sink.keep === undefined
      ? undefined
      : {
          keep: (positions: ReadonlyMap<string, unknown>) => meet('keep', () => sink.keep?.(positions)),
        }),
    ...(sink.flush === undefined
      ? undefined
      : {
          async flush() {
            await meet('flush', () => sink.flush?.());
            await Promise.all(late);
          },
        }),
    close: (reason) => meet('close', () => sink.close?.(reason)),
  };
}
