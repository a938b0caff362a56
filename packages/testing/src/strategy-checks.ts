/** What each rule of a dispatch strategy comes to when it is tried in states without number. */

import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import type { DispatchStrategy } from '@streamweld/core';
import { Random } from './random.ts';
import { findBreach, type StateRule } from './strategy-answers.ts';
import type { AnyStrategyHarness } from './strategy-harness.ts';
import {
  type Asked,
  type Demands,
  isThenable,
  type StrategyState,
  StrategyStates,
} from './strategy-states.ts';
import type { Check } from './suite.ts';

type Strategy = DispatchStrategy<unknown>;
type Tried = (states: StrategyStates, harness: AnyStrategyHarness) => void;

/** How many calls a strategy is asked in a row, where one call says nothing. */
const CALLS = 6;

export const STRATEGY_CHECKS: readonly Check<AnyStrategyHarness>[] = [
  check('D1', 'takes a prefix, none or more, and delivers nothing from behind it', byAnswer('D1')),
  check('D2', 'has a place for every item it takes, and makes none up', byAnswer('D2')),
  check('D3', 'gives no outlet more than its demand', byAnswer('D3')),
  check('D4', 'keeps the order of the items, in and between the deliveries of an outlet', byAnswer('D4')),

  check('D5', 'changes neither the items nor the outlets', (states) => {
    const { items, from, outlets } = states.draw();
    const before = {
      items: [...items],
      texts: items.map(textOf),
      outlets: outlets.map((each) => ({ ...each })),
    };
    const roster = [...outlets];
    const strategy = states.create();
    states.ask(strategy, { items, from, outlets });
    strategy.demand(outlets);
    const isSameList =
      items.length === before.items.length && items.every((item, at) => item === before.items[at]);
    assert.ok(isSameList, 'It changed the list of items.');
    const changed = items.findIndex((item, at) => textOf(item) !== before.texts[at]);
    assert.equal(changed, -1, `It changed the item at place ${changed}.`);
    const isSameRoster = outlets.length === roster.length && outlets.every((each, at) => each === roster[at]);
    assert.ok(isSameRoster, 'It changed the list of outlets.');
    for (const [at, outlet] of outlets.entries()) {
      assert.deepEqual(outlet, before.outlets[at], `It changed outlet ${at}.`);
    }
  }),

  check('D5', 'answers the same where nothing can be changed', (states) => {
    const { items, from, outlets } = states.draw();
    const free = states.ask(states.create(), {
      items: [...items],
      from,
      outlets: outlets.map((each) => ({ ...each })),
    });
    const frozen = {
      items: Object.freeze([...items]),
      from,
      outlets: Object.freeze(outlets.map((each) => Object.freeze({ ...each }))),
    };
    const strategy = states.create();
    strategy.demand(frozen.outlets);
    assertSame(states.ask(states.create(), frozen), free, 'what it is given is frozen');
  }),

  check('D5', 'leaves alone what it has delivered', (states) => {
    const strategy = states.create();
    const first = states.draw();
    const asked = states.ask(strategy, first);
    const given = asked.deliveries.map(({ items }) => [...items]);
    let state: StrategyState = first;
    let answer = asked;
    for (let call = 1; call < CALLS; call += 1) {
      state = states.follow(state, answer);
      answer = states.ask(strategy, state);
      for (const [at, { items }] of asked.deliveries.entries()) {
        const share = given[at] as readonly unknown[];
        const isSame = items.length === share.length && items.every((item, place) => item === share[place]);
        assert.ok(isSame, `It changed what it had delivered ${call} calls before: sinks are writing it.`);
      }
    }
  }),

  check('D6', 'answers at once', (states) => {
    const strategy = states.create();
    const state = states.draw();
    states.ask(strategy, state);
    assert.ok(!isThenable(strategy.demand(state.outlets)), 'Its demand is a promise.');
  }),

  check(
    'D6',
    'answers the same for the same states and the same chance, wherever and whenever',
    (states, harness) => {
      const [here, there] = [states, new StrategyStates(harness, states.seed)];
      const answers = playOn(here);
      let said = '';
      const others = elsewhere(states.seed, () => {
        try {
          return playOn(there);
        } catch (error) {
          said = `: ${inspect(error)}`;
          return [];
        }
      });
      for (const [call, answer] of answers.entries()) {
        assert.ok(others[call] !== undefined, `The second time it did not answer call ${call + 1}${said}`);
        assertSame(others[call], answer, `it is asked a second time (call ${call + 1} of ${CALLS})`);
      }
    },
  ),

  check('D7', 'takes nothing without an outlet or demand, but what fits nowhere', byAnswer('D7', 'none')),
  check('D8', 'takes at least one item where there is demand at every outlet', byAnswer('D8', 'everywhere')),

  check('D9', 'has a demand that is a whole number from 0 up, or Infinity', (states) => {
    const strategy = states.create();
    let state = states.draw();
    // Before the first call, and after it.
    for (let call = 0; call < 2; call += 1) {
      const demand: unknown = strategy.demand(state.outlets);
      const isCount = Number.isInteger(demand) || demand === Number.POSITIVE_INFINITY;
      const asked = states.ask(strategy, state);
      assert.ok(isCount && (demand as number) >= 0, `Its demand was ${inspect(demand)}.`);
      state = states.follow(state, asked);
    }
  }),

  check(
    'D10',
    'answers for the outlets of this call, whoever came and went since the last',
    (states, harness) => {
      const strategy = states.create();
      let state = states.draw();
      for (let call = 1; call <= CALLS; call += 1) {
        const asked = states.ask(strategy, state);
        const breach = findBreach(asked, harness);
        assert.ok(breach === undefined, `At call ${call}, to other outlets than before: ${breach}`);
        state = states.follow(state, asked);
      }
    },
  ),
];

/** Tries a rule in as many states as the harness asks for, and tells the smallest in which it is broken. */
function check(rule: string, sentence: string, tried: Tried): Check<AnyStrategyHarness> {
  return {
    rule,
    sentence,
    run: async (harness) => {
      const { states: count = 2000, seed: first = 1 } = harness;
      let smallest: { readonly states: StrategyStates; readonly error: unknown } | undefined;
      let broken = 0;
      for (let seed = first; seed < first + count; seed += 1) {
        const states = new StrategyStates(harness, seed);
        try {
          tried(states, harness);
        } catch (error) {
          broken += 1;
          if (smallest === undefined || states.size < smallest.states.size) smallest = { states, error };
        }
      }
      if (smallest === undefined) return;
      const { states, error } = smallest;
      const said = error instanceof Error ? error.message : inspect(error);
      const message = `${said}\nBroken in ${broken} of ${count} states; the smallest has seed ${states.seed}:\n${states.tell()}`;
      // What the strategy itself threw has a stack that is worth seeing.
      throw Object.assign(new assert.AssertionError({ message }), { cause: error });
    },
  };
}

/** A rule that a single answer shows. */
function byAnswer(rule: StateRule, demands?: Demands): Tried {
  return (states, harness) => {
    const breach = findBreach(states.ask(states.create(), states.draw(demands)), harness, [rule]);
    assert.ok(breach === undefined, breach);
  };
}

/** A fresh strategy through some calls. */
function playOn(states: StrategyStates): Asked[] {
  const strategy: Strategy = states.create();
  const answers: Asked[] = [];
  let state = states.draw();
  for (let call = 0; call < CALLS; call += 1) {
    const asked = states.ask(strategy, state);
    answers.push(asked);
    state = states.follow(state, asked);
  }
  return answers;
}

/** Another day, and other luck. */
function elsewhere<T>(seed: number, body: () => T): T {
  const { now } = Date;
  const { random } = Math;
  const chance = new Random(~seed);
  let time = 1 + chance.integer(0, 2 ** 40);
  Date.now = () => (time += 1);
  Math.random = () => chance.next();
  try {
    return body();
  } finally {
    Date.now = now;
    Math.random = random;
  }
}

function assertSame(found: Asked, expected: Asked, when: string): void {
  const [here, there] = [answerOf(found), answerOf(expected)];
  assert.ok(here === there, `It answers ${there}, and ${here} where ${when}.`);
}

/** Only what was answered, by places: items may be made anew. */
function answerOf({ taken, deliveries }: Asked): string {
  const parts = deliveries.map(({ outlet, places }) => `places ${places.join(',')} to ${outlet}`);
  return `[${taken} taken: ${parts.join('; ')}]`;
}

function textOf(item: unknown): string {
  return typeof item === 'number' ? `${item}` : inspect(item, { depth: 10, maxArrayLength: null });
}
