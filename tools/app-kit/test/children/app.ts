/** An app as small as one can be. Its only argument says what becomes of it. */

import { ConcurrentPipeline, generate, StreamWeldError } from '@streamweld/core';
import { ArgumentError, Refusal, runApp } from '../../src/index.ts';

const OUTCOMES = ['good', 'wrong', 'refused', 'coded', 'unknown', 'runs', 'stuck', 'aborted-late'] as const;
type Outcome = (typeof OUTCOMES)[number];

function read([given, ...rest]: readonly string[]): Outcome {
  const outcome = OUTCOMES.find((each) => each === given);
  if (outcome !== undefined && rest.length === 0) return outcome;
  throw new ArgumentError(`expected one of ${OUTCOMES.join(', ')}, got '${given}'.`);
}

const dead = new Error('connect ECONNREFUSED');

await runApp<Outcome>({
  usage: 'app OUTCOME',
  read,
  shutdown: (given) => (given === 'runs' ? { stopping: 'Enough, then.' } : {}),
  async work(given, shutdown) {
    switch (given) {
      case 'good':
        console.log('✓ all');
        return true;
      case 'wrong':
        console.log('✗ something: WRONG');
        return false;
      case 'refused':
        throw new Error('could not go on', { cause: new Refusal('APP_NO_SERVER', 'Give it one.') });
      case 'coded':
        throw new StreamWeldError('SW_SINK_FAILED', 'The sink threw.', { cause: dead });
      case 'unknown':
        throw new TypeError('a mistake');
      case 'runs': {
        const pipeline = new ConcurrentPipeline(
          generate((n) => n),
          () => console.log('running'),
        );
        const { outcome } = await shutdown.run(pipeline);
        console.log(outcome);
        return true;
      }
      case 'stuck':
      case 'aborted-late': {
        console.log('running');
        const alive = setInterval(() => {}, 1000);
        await new Promise((resolve) => shutdown.signal.addEventListener('abort', resolve));
        clearInterval(alive);
        if (given === 'stuck') throw new Error('torn away');
        return true;
      }
    }
  },
});
