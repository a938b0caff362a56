/**
 * Defects, planted one at a time into the source as it is loaded: the tests must see each. A test that stays green with one
 * of them in proves nothing of what it says.
 */

export interface Break {
  readonly name: string;
  /** In packages/core/src. */
  readonly file: string;
  /** What stands there, once, and what stands there instead. */
  readonly find: string;
  readonly replace: string;
  /** The tests that are to see it, from packages/core/test. */
  readonly tests: readonly string[];
  /** Whether it is among those that every run of the tests tries; the others are tried by `pnpm planted`. */
  readonly isKept?: boolean;
}

const POLICY = ['policy', 'dispatch/write-policies.test.ts'];

export const BREAKS: readonly Break[] = [
  {
    name: 'a retry gives its slot away, and is overtaken',
    file: 'task/write-job.ts',
    find: '    this.#timer = runtime.setTimer(this.#wake, policies.retry.delayMs(this.#failures));',
    replace: `    this.#timer = runtime.setTimer(this.#wake, policies.retry.delayMs(this.#failures));
    this.#host.over(this);`,
    tests: ['policy/retry.test.ts'],
    isKept: true,
  },
  {
    name: 'the claims of a batch that was taken apart are settled twice',
    file: 'task/write-job.ts',
    find: '    if (this.#isSplit) this.#claim?.settle();\n    this.#end();',
    replace: '    if (this.#isSplit) { this.#claim?.settle(); this.#claim?.settle(); }\n    this.#end();',
    tests: ['policy/dead-letter.test.ts'],
    isKept: true,
  },
  {
    name: 'a bad item is settled before the dead letter has it durably',
    file: 'task/write-job.ts',
    find: '        policies.deadLettered += letters.length;\n',
    replace: '        policies.deadLettered += letters.length; claim?.settle();\n',
    tests: ['policy/dead-letter.test.ts'],
    isKept: true,
  },
  {
    name: 'an outage is taken for bad data',
    file: 'policy/write-failure.ts',
    find: 'return !retryable;\n  return false;',
    replace: 'return !retryable;\n  return true;',
    tests: ['policy/dead-letter.test.ts'],
    isKept: true,
  },
  {
    name: 'one attempt too many',
    file: 'task/write-job.ts',
    find: 'const isUsedUp = this.#failures >= attempts;',
    replace: 'const isUsedUp = this.#failures > attempts;',
    tests: ['policy/retry.test.ts'],
    isKept: true,
  },
  {
    name: 'one attempt too few',
    file: 'task/write-job.ts',
    find: 'const isUsedUp = this.#failures >= attempts;',
    replace: 'const isUsedUp = this.#failures >= attempts - 1;',
    tests: POLICY,
  },
  {
    name: 'a batch whose attempts are used up is lost, with a breaker too',
    file: 'task/write-job.ts',
    find: 'if (isUsedUp && breaker === undefined) {',
    replace: 'if (isUsedUp) {',
    tests: POLICY,
  },
  {
    name: 'an open breaker holds back only what is written again',
    file: 'task/sink-task.ts',
    find: '      if (!jobs.allows) return false;\n      if (jobs.startNext()) return true;',
    replace: '      if (jobs.allows && jobs.startNext()) return true;',
    tests: POLICY,
  },
  {
    name: 'a half-open breaker lets more than one try',
    file: 'policy/circuit-breaker.ts',
    find: "if (this.#state === 'half-open') this.#isTrying = true;",
    replace: '',
    tests: POLICY,
  },
  {
    name: 'only what failed is written again, where order is kept',
    file: 'policy/bisect.ts',
    find: '  if (rules.keepsOrder) return slice(segment, failed[0] as number, segment.items.length);\n',
    replace: '',
    tests: POLICY,
  },
  {
    name: 'an atomic sink is believed to have written what it did not name',
    file: 'policy/bisect.ts',
    find: 'if (failed === undefined || rules.isAtomic)',
    replace: 'if (failed === undefined)',
    tests: POLICY,
  },
  {
    name: 'the right half is written first',
    file: 'policy/bisect.ts',
    find: 'again: [slice(segment, 0, middle), slice(segment, middle, length)]',
    replace: 'again: [slice(segment, middle, length), slice(segment, 0, middle)]',
    tests: POLICY,
  },
  {
    name: 'a sink that is not atomic is halved unasked',
    file: 'task/sink-task.ts',
    find: 'const halves = isAtomic || policies.retry.halve;',
    replace: 'const halves = true;',
    tests: POLICY,
  },
  {
    name: 'the late answer of a write that was given up counts',
    file: 'task/sink-task.ts',
    find: '    if (write.isOver) return;\n    const { parcel } = write;\n    this.#answered(write);\n    if (job === undefined) this.#vacate(parcel);\n    this.written',
    replace:
      '    const { parcel } = write;\n    this.#answered(write);\n    if (job === undefined) this.#vacate(parcel);\n    this.written',
    tests: POLICY,
  },
  {
    name: 'a retry is made while the run is paused',
    file: 'task/sink-task.ts',
    find: "    if (this.#mode !== 'running') return false;\n    const jobs = this.#jobs;",
    replace: "    if (this.#mode === 'halted') return false;\n    const jobs = this.#jobs;",
    tests: POLICY,
  },
  {
    name: 'a pause waits for all of a batch that is being halved',
    file: 'task/sink-task.ts',
    find: '      job.accepted();\n      // Its job may go on only after a pause, which waits for this write alone.\n      this.#wakeIdle();\n',
    replace: '      job.accepted();\n',
    tests: POLICY,
  },
  {
    name: 'a write that timed out is repeated where items and positions are one step',
    file: 'task/sink-task.ts',
    find: 'this.#failed(write, job, error, this.writesWhole);',
    replace: 'this.#failed(write, job, error);',
    tests: POLICY,
  },
  {
    name: 'an abort leaves the timer of a retry',
    file: 'task/write-job.ts',
    find: '    if (this.#timer !== undefined) runtime.clearTimer(this.#timer);\n',
    replace: '',
    tests: POLICY,
  },
  {
    name: 'exactly once, the rest is written before the dead letter has the bad items durably',
    file: 'task/write-job.ts',
    find: '        if (!writesWhole) then();\n',
    replace: '        then();\n',
    tests: POLICY,
  },
  {
    name: 'a dead letter that fails only ends a branch whose loss was consented to',
    file: 'dispatch/dispatch-core.ts',
    find: 'if (subscription.consentsToLoss && !isDeadLetterFailure(error))',
    replace: 'if (subscription.consentsToLoss)',
    tests: POLICY,
  },
  {
    name: 'a rate limit serves whoever came first, whatever they had',
    file: 'policy/rate-limit.ts',
    find: 'if (next === undefined || user.served < next.served) next = user;',
    replace: 'next ??= user;',
    tests: POLICY,
  },
  {
    name: 'an operator settles the item that it sends to the dead letter at once',
    file: 'pipeline/flow-letters.ts',
    find: '    claim?.retain(1);\n',
    replace: '',
    tests: POLICY,
  },
  {
    name: 'a share is written before all of the offer is dispatched',
    file: 'dispatch/share.ts',
    find: 'if (!share.isSealed || next - at < share.pieces) break;',
    replace: 'if (next - at < share.pieces) break;',
    tests: ['dispatch/exactly-once-rules.test.ts'],
  },
  {
    name: 'the run resumes from the greatest that a sink holds',
    file: 'dispatch/exact-delivery.ts',
    find: 'held.get(lane), position) < 0) least',
    replace: 'held.get(lane), position) > 0) least',
    tests: ['dispatch/exactly-once-rules.test.ts'],
  },
  {
    name: 'a lane that one sink has not is resumed where another stands',
    file: 'dispatch/exact-delivery.ts',
    find: 'if (!held.has(lane)) least.delete(lane);',
    replace: 'if (!held.has(lane)) continue;',
    tests: ['dispatch/exactly-once-rules.test.ts'],
  },
  {
    name: 'a sink is given again the last batch it has',
    file: 'delivery/caution.ts',
    find: 'this.#ahead.get(lane)) <= 0) return true',
    replace: 'this.#ahead.get(lane)) < 0) return true',
    tests: ['dispatch/exactly-once-rules.test.ts'],
  },
  {
    name: 'the source is not asked for single items',
    file: 'flow/source-stage.ts',
    find: 'this.caution?.isNeeded === true ? 1 : demand',
    replace: 'demand',
    tests: ['dispatch/exactly-once-rules.test.ts'],
  },
  {
    name: 'a write joins what a sink has with what it lacks',
    file: 'task/whole-intake.ts',
    find: 'const isCareful = this.caution?.isNeeded === true;',
    replace: 'const isCareful = false as boolean;',
    tests: ['dispatch/exactly-once.test.ts'],
  },
  {
    name: 'an asynchronous map joins what a sink has with what it lacks',
    file: 'flow/async-window.ts',
    find: 'ready.length > 0 && this.#options.isCautious?.() === true',
    replace: 'ready.length > 1_000_000',
    tests: ['dispatch/exactly-once.test.ts'],
  },
  {
    name: 'a sink steps back in a lane',
    file: 'dispatch/exact-delivery.ts',
    find: 'if (ahead?.covers(lane, position) !== true) due.set',
    replace: 'due.set',
    tests: ['dispatch/exact-delivery.test.ts'],
  },
  {
    name: 'a sink that is given nothing forgets where it stands',
    file: 'dispatch/exact-delivery.ts',
    find: 'else member.owed = this.#due(member);',
    replace: '',
    tests: ['dispatch/exactly-once-rules.test.ts'],
  },
  {
    name: 'a mix is taken for what a sink has',
    file: 'dispatch/exact-delivery.ts',
    find: 'if (covered.length === filled.length) return true;',
    replace: 'return true;',
    tests: ['dispatch/exactly-once-rules.test.ts'],
  },
  {
    name: 'what keeps positions may answer { durable }',
    file: 'task/sink-task.ts',
    find: 'const isBroken = this.writesWhole && ',
    replace: 'const isBroken = false && ',
    tests: ['pipeline/exactly-once-rules.test.ts'],
  },
  {
    name: 'a batch that is on its way is taken for missing',
    file: 'delivery/whole.ts',
    find: '      this.#taken.set(lane, last);\n',
    replace: '',
    tests: ['dispatch/exactly-once-rules.test.ts'],
  },
  {
    name: 'what is in a lane that was given up waits for ever',
    file: 'pipeline/exactly-once.ts',
    find: "return share === 'all';",
    replace: 'return false;',
    tests: ['pipeline/exactly-once-rules.test.ts'],
  },
];
