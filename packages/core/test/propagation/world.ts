/** Parties that do what a case tells them, when it tells them, and write down in one list all that is asked of them. */

import type { VirtualClock } from '@streamweld/testing';
import { isStreamWeldError, type StreamWeldError, WriteError } from '../../src/errors.ts';
import type { Dispatcher } from '../../src/dispatch/dispatcher.ts';
import type { Subscription } from '../../src/dispatch/subscription.ts';
import type { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Settings, Thrown } from './case.ts';

interface Entry {
  readonly what: string;
  readonly reason: unknown;
}

interface Waiting {
  readonly items: readonly unknown[];
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

type Fault = { readonly how: 'throw' | 'reject'; readonly name: string } | 'hold' | 'answer';

/** What a party is given when it is opened. */
interface Context {
  readonly signal: AbortSignal;
  fail(error: unknown): void;
}

/** What is run, once it is arranged. */
export interface Scene {
  readonly pipeline?: ConcurrentPipeline<number>;
  readonly dispatcher?: Dispatcher<number, string> | Dispatcher<number>;
  readonly subscriptions?: ReadonlyMap<string, Subscription>;
  begin(signal: AbortSignal): Promise<unknown>;
}

type Outcome = { readonly value: unknown } | { readonly error: unknown };

/** These wait to be told, unless they are told otherwise. */
const HELD = new Set(['pull', 'write', 'call', 'body', 'durable']);
/** These are not written down: no call of a party's own. */
const QUIET = new Set(['durable']);

export class World {
  readonly clock: VirtualClock;
  readonly settings: Settings;
  readonly log: Entry[] = [];
  readonly contexts = new Map<string, Context>();
  /** What a party of its own kind can be told to do, by `party verb`. */
  readonly tricks = new Map<string, (argument: unknown) => void>();
  readonly user = new AbortController();
  scene: Scene | undefined;
  outcome: Outcome | undefined;
  settledTimes = 0;
  readonly #thrown: Thrown;
  readonly #faults = new Map<string, Fault>();
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #errors = new Map<string, unknown>();

  constructor(clock: VirtualClock, settings: Settings, thrown: Thrown) {
    this.clock = clock;
    this.settings = settings;
    this.#thrown = thrown;
  }

  // ── for its parties ────────────────────────────────────────────────────────────────────────────────────────────

  /** Somebody is called: written down, and answered as the case says. */
  call(party: string, call: string, items: readonly unknown[] = [], reason?: unknown): unknown {
    const name = `${party}.${call}`;
    if (!QUIET.has(call)) this.log.push({ what: [name, ...items].join(' '), reason });
    const fault = this.#faults.get(name) ?? (HELD.has(call) ? 'hold' : 'answer');
    if (fault === 'answer') return undefined;
    if (fault === 'hold') {
      return new Promise((resolve, reject) => {
        const waiting = this.#waiting.get(name) ?? [];
        waiting.push({ items, resolve, reject });
        this.#waiting.set(name, waiting);
      });
    }
    const error = this.error(fault.name);
    if (fault.how === 'throw') throw error;
    return Promise.reject(error);
  }

  opened(party: string, context: Context): unknown {
    this.contexts.set(party, context);
    return this.call(party, 'open');
  }

  waits(name: string): boolean {
    return (this.#waiting.get(name)?.length ?? 0) > 0;
  }

  /** Whether a call of this kind waits with anybody. */
  anyWaits(call: string): boolean {
    return [...this.#waiting].some(([name, { length }]) => length > 0 && name.endsWith(`.${call}`));
  }

  /** Answers whatever waits with nothing. */
  answerAll(): void {
    for (const waiting of this.#waiting.values())
      for (const { resolve } of waiting.splice(0)) resolve(undefined);
  }

  take(name: string): Waiting {
    const waiting = this.#waiting.get(name)?.shift();
    if (waiting === undefined) throw new Error(`No ${name} waits.`);
    return waiting;
  }

  // ── what a case says ───────────────────────────────────────────────────────────────────────────────────────────

  /** What is thrown under a name: always the same. */
  error(name: string): unknown {
    if (!this.#errors.has(name)) this.#errors.set(name, this.#make(name));
    return this.#errors.get(name);
  }

  #make(name: string): unknown {
    if (name === 'BAD') return new WriteError('bad', { retryable: false });
    if (name === 'TEXT') return 'stopped by hand';
    if (name !== 'E1' || this.#thrown === 'an error') return new Error(name);
    return this.#thrown === 'undefined' ? undefined : Object.freeze({ name });
  }

  async steps(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      for (const step of line.split(' & ')) {
        const wait = /^wait (\d+)$/.exec(step);
        if (wait !== null) await this.clock.advance(Number(wait[1]));
        else this.#step(step);
      }
      await this.settle();
    }
  }

  /** Streams of the platform pass things on by ticks of their own. */
  async settle(): Promise<void> {
    for (let i = 0; i < 4; i++) await this.clock.settle();
  }

  begin(): void {
    const scene = this.scene as Scene;
    scene.begin(this.user.signal).then(
      (value) => this.#settled({ value }),
      (error: unknown) => this.#settled({ error }),
    );
  }

  #settled(outcome: Outcome): void {
    this.settledTimes += 1;
    this.outcome = outcome;
  }

  #step(step: string): void {
    const [subject = '', verb = '', ...rest] = step.split(' ');
    if (subject === 'let') this.#let(verb, rest);
    else if (subject === 'user') this.user.abort(this.error(rest[0] as string));
    else if (subject === 'run') this.#run(verb, rest);
    else if (subject === 'dispatcher') void this.scene?.dispatcher?.abort(this.error(rest[0] as string));
    else if (verb === 'leaves') this.#leave(subject);
    else if (verb === 'fails') this.#fail(subject, this.error(rest[0] as string));
    else if (this.tricks.has(`${subject} ${verb}`)) this.#trick(`${subject} ${verb}`, rest);
    else this.#answer(subject, verb, rest);
  }

  #let(name: string, [how, error]: readonly string[]): void {
    if (how === 'hold' || how === 'answer') this.#faults.set(name, how);
    else if ((how === 'throw' || how === 'reject') && error !== undefined)
      this.#faults.set(name, { how, name: error });
    else throw new Error(`let ${name} ${how}: what is that?`);
  }

  #run(verb: string, [argument]: readonly string[]): void {
    if (verb === 'begins') {
      this.begin();
      return;
    }
    const pipeline = this.scene?.pipeline as ConcurrentPipeline<number>;
    if (verb === 'aborts') void pipeline.abort(argument === undefined ? undefined : this.error(argument));
    else if (verb === 'pauses') void pipeline.pause();
    else if (verb === 'resumes') pipeline.resume();
    else if (verb === 'drains')
      pipeline.drain(argument === undefined ? {} : { deadlineMs: Number(argument) }).catch(() => {});
    else throw new Error(`run ${verb}: what is that?`);
  }

  #leave(name: string): void {
    const subscription = this.scene?.subscriptions?.get(name) as Subscription;
    subscription.unsubscribe().catch(() => {});
  }

  #fail(party: string, error: unknown): void {
    const context = this.contexts.get(party);
    if (context === undefined) throw new Error(`${party} was not opened.`);
    context.fail(error);
  }

  #trick(name: string, rest: readonly string[]): void {
    const trick = this.tricks.get(name) as (argument: unknown) => void;
    if (rest.length === 0 || /^\d+$/.test(rest[0] as string)) trick(rest.map(Number));
    else trick(this.error(rest[0] as string));
  }

  #answer(name: string, verb: string, rest: readonly string[]): void {
    const waiting = this.take(name);
    if (verb === 'gives') {
      const items = rest.map(Number);
      waiting.resolve({ items, position: items.at(-1) });
    } else if (verb === 'accepts') {
      const durable = this.call(name.split('.')[0] as string, 'durable') as Promise<void>;
      waiting.resolve({ durable });
    } else if (verb === 'answers') waiting.resolve(waiting.items[0]);
    else if (verb === 'ends') waiting.resolve(undefined);
    else if (verb === 'breaks') waiting.resolve('break');
    else if (verb === 'rejects') waiting.reject(this.error(rest[0] as string));
    else throw new Error(`${name} ${verb}: what is that?`);
  }

  // ── what was seen ──────────────────────────────────────────────────────────────────────────────────────────────

  /** The calls from a place in the list on, each with the reason it had. */
  callsFrom(start: number): string[] {
    return this.log
      .slice(start)
      .map(({ what, reason }) => (reason === undefined ? what : `${what} ${this.say(reason)}`));
  }

  /** How the run ended, in words. */
  get ending(): string {
    const { outcome } = this;
    if (outcome === undefined) return 'goes on';
    if ('error' in outcome) return this.name(outcome.error);
    const report = outcome.value as { readonly outcome: string } | undefined;
    return report?.outcome ?? 'completed';
  }

  /** What is noted on the failure, and on what is noted there, in order. */
  get suppressed(): string[] {
    const { outcome } = this;
    return outcome === undefined || !('error' in outcome) ? [] : this.#notedOn(outcome.error);
  }

  #notedOn(error: unknown): string[] {
    if (!isStreamWeldError(error)) return [];
    return error.suppressed.flatMap((later) => [this.name(later), ...this.#notedOn(later)]);
  }

  /** A reason: `!` for the failure of the run. */
  say(reason: unknown): string {
    const { outcome } = this;
    if (outcome !== undefined && 'error' in outcome && outcome.error === reason) return '!';
    return this.name(reason);
  }

  /** An error: by the name it was thrown under, or as `code stage cause`, down to what was thrown. */
  name(error: unknown): string {
    for (const [name, thrown] of this.#errors) if (thrown === error) return name;
    if (!isStreamWeldError(error)) return `somebody's ${String(error)}`;
    const { code, stage } = error as StreamWeldError;
    const own = stage === undefined ? code : `${code} ${stage}`;
    return 'cause' in error ? `${own} ${this.name(error.cause)}` : own;
  }
}
