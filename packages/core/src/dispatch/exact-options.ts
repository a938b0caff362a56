/** What exactly once excludes at a dispatcher, told before anything is opened. */

import { OptionError, StreamWeldError } from '../errors.ts';
import type { Sink } from '../sink.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/** @throws OptionError if the dispatcher is to keep positions, and cannot. @param what it is or has. */
export function refuseCheckpoint(checkpoint: string | undefined, what: string, why: string): void {
  if (checkpoint === undefined) return;
  throw new OptionError('DispatchedPipelineBuilder.checkpoint', `left out with ${what}`, checkpoint, why);
}

export interface ExactSubscriber<T> {
  readonly dispatcher: string;
  readonly sink: Sink<T>;
  readonly name: string;
  /** Of the others. */
  readonly names: readonly string[];
  readonly options: SubscribeOptions<T>;
}

/** @throws StreamWeldError SW_EXACTLY_ONCE_IMPOSSIBLE; OptionError */
export function checkExactSubscriber<T>(subscriber: ExactSubscriber<T>): void {
  const { dispatcher, sink, name, names, options } = subscriber;
  if (sink.ahead !== undefined) {
    throw new StreamWeldError(
      'SW_EXACTLY_ONCE_IMPOSSIBLE',
      `'${name}' passes items on to several sinks, and cannot be one of several: where each of them stands has to be known to the run. Subscribe its sinks to '${dispatcher}' itself, with selectors.`,
      { stage: name },
    );
  }
  if (sink.keepsPositions !== true || sink.positions === undefined) {
    throw new StreamWeldError(
      'SW_EXACTLY_ONCE_IMPOSSIBLE',
      `The dispatcher '${dispatcher}' has a checkpoint, and the sink '${name}' does not keep positions. Take a sink that does, or build a dispatcher without a checkpoint: then each item is delivered at least once.`,
      { stage: name },
    );
  }
  if (names.includes(name)) {
    throw new OptionError(
      'subscribeSink.name',
      'another than those of the other sinks where they keep positions',
      name,
      'Positions are kept under it.',
    );
  }
  const { overflow, maxConcurrency, onError } = options;
  if (overflow !== undefined && overflow !== 'wait') {
    throw new OptionError(
      'subscribeSink.overflow',
      "'wait' where sinks keep positions",
      overflow,
      'What it drops would be behind the position, and never come again.',
    );
  }
  if ((maxConcurrency ?? 1) > 1) {
    throw new OptionError(
      'subscribeSink.maxConcurrency',
      '1 where sinks keep positions',
      maxConcurrency,
      'Of two writes at once the later might be kept and the earlier not.',
    );
  }
  if (onError === 'detach') {
    throw new OptionError(
      'subscribeSink.onError',
      "'fail' where sinks keep positions",
      onError,
      'What a branch loses comes again on the next run, for it is behind its position.',
    );
  }
}
