/**
 * Calls to a checkpoint store in an order that a seed draws, each compared with what a map of maps would answer.
 *
 *     stores ─┐                                   ┌─ saves: what is there
 *             ├─ load, save, acquire, crash ──► model
 *     runs  ──┘                                   └─ holder: who may save
 */

import assert from 'node:assert/strict';
import type { CheckpointStore } from '@streamweld/core';
import type { CheckpointMedium } from './checkpoint-suite.ts';
import { Random } from './random.ts';

type Positions = ReadonlyMap<string, unknown>;

const NAMES = ['orders', 'Orders', 'orders/eu'] as const;

/** A store that was acquired for one run. */
interface Run {
  readonly name: string;
  readonly store: CheckpointStore;
}

/**
 * Plays so many calls.
 * @throws AssertionError that says the seed, and the calls so far.
 */
export async function playCheckpoints(medium: CheckpointMedium, seed: number, calls: number): Promise<void> {
  const play = new CheckpointPlay(medium, seed);
  try {
    for (let call = 0; call < calls; call += 1) await play.step();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const message = `${said}\nWith seed ${seed}, after: ${play.calls.slice(-20).join('; ')}.`;
    throw Object.assign(new assert.AssertionError({ message }), { cause: error });
  }
}

class CheckpointPlay {
  /** What was done, as text. */
  readonly calls: string[] = [];
  readonly #medium: CheckpointMedium;
  readonly #chance: Random;
  readonly #saved = new Map<string, Positions>();
  /** The latest run of each name. Once there is one, saves go through runs alone: what another save does to it is open. */
  readonly #holders = new Map<string, Run>();
  #runs: Run[] = [];
  #stores: CheckpointStore[] = [];
  #round = 0;

  constructor(medium: CheckpointMedium, seed: number) {
    this.#medium = medium;
    this.#chance = new Random(seed);
    this.#reopen();
  }

  async step(): Promise<void> {
    const chance = this.#chance;
    const name = chance.pick(NAMES);
    const kind = chance.integer(0, 19);
    if (kind < 6) await this.#load(name);
    else if (kind < 13) await this.#save(name);
    else if (kind < 15) await this.#saveAtOnce(name);
    else if (kind < 17) await this.#acquire(name);
    else if (kind < 19) await this.#saveOfOld();
    else await this.#cutOff(name);
  }

  #reopen(): void {
    this.#stores = [this.#medium.open(), this.#medium.open()];
    this.#runs = [];
    this.#holders.clear();
  }

  /** Whoever may save under the name now. */
  #writer(name: string): CheckpointStore {
    return this.#holders.get(name)?.store ?? this.#chance.pick(this.#stores);
  }

  async #load(name: string): Promise<void> {
    this.#told(`load ${name}`);
    const readers = [
      ...this.#stores,
      ...this.#runs.filter((run) => run.name === name).map(({ store }) => store),
    ];
    this.#compare(name, await this.#chance.pick(readers).load(name), this.#saved.get(name));
  }

  async #save(name: string): Promise<void> {
    const positions = this.#draw();
    this.#told(`save ${name} ${textOf(positions)}`);
    await this.#writer(name).save(name, positions);
    this.#saved.set(name, positions);
  }

  /** Several saves that nobody waits for between: the last one stays. */
  async #saveAtOnce(name: string): Promise<void> {
    const writer = this.#writer(name);
    const all = Array.from({ length: this.#chance.integer(2, 4) }, () => this.#draw());
    this.#told(`save ${name} ${all.map(textOf).join(' and ')} at once`);
    await Promise.all(all.map(async (positions) => writer.save(name, positions)));
    this.#saved.set(name, all.at(-1) as Positions);
  }

  async #acquire(name: string): Promise<void> {
    this.#told(`acquire ${name}`);
    const store = await this.#chance.pick(this.#stores).acquire?.(name);
    if (store === undefined) return;
    const run = { name, store };
    this.#runs.push(run);
    this.#holders.set(name, run);
    this.#compare(name, await store.load(name), this.#saved.get(name));
  }

  /** An earlier run is refused, and nothing has changed. */
  async #saveOfOld(): Promise<void> {
    const old = this.#runs.filter((run) => this.#holders.get(run.name) !== run);
    if (old.length === 0) return;
    const { name, store } = this.#chance.pick(old);
    this.#told(`save ${name} of an earlier run`);
    const code = await (async () => store.save(name, this.#draw()))().then(
      () => 'none: it saved',
      (error: unknown) => (error as { code?: unknown } | undefined)?.code,
    );
    assert.equal(code, 'SW_CHECKPOINT_FENCED', `The save of an earlier run has the code ${String(code)}.`);
    this.#compare(name, await this.#chance.pick(this.#stores).load(name), this.#saved.get(name));
  }

  /** A crash in the middle of a save: it is whole, or it was never there; other names stand as they stood. */
  async #cutOff(name: string): Promise<void> {
    if (this.#medium.crash === undefined) return;
    const positions = this.#draw();
    const turns = this.#chance.integer(0, 8);
    this.#told(`crash ${turns} turns after a save of ${name} ${textOf(positions)} began`);
    const writer = this.#writer(name);
    (async () => writer.save(name, positions))().catch(() => {});
    for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await this.#medium.crash();
    const held = [...this.#holders.keys()];
    this.#reopen();
    const found = (await this.#chance.pick(this.#stores).load(name)) ?? new Map<string, unknown>();
    if (textOf(found) === textOf(positions)) this.#saved.set(name, positions);
    for (const each of NAMES)
      this.#compare(each, await this.#medium.open().load(each), this.#saved.get(each));
    // Who crashed may still hold the name: only a new run may save.
    for (const each of held) await this.#acquire(each);
  }

  /** Of lanes that come and go. */
  #draw(): Positions {
    this.#round += 1;
    const lanes = ['', 'a', 'b', '店'].filter(() => this.#chance.chance(0.7));
    return new Map(lanes.map((lane) => [lane, { at: this.#round, big: 2n ** 60n + BigInt(this.#round) }]));
  }

  #compare(name: string, found: Positions | undefined, expected: Positions | undefined): void {
    const [answered, due] = [textOf(found), textOf(expected)];
    assert.ok(answered === due, `Under '${name}' it answers ${answered}, and ${due} is saved.`);
    assert.deepEqual(new Map(found), new Map(expected));
  }

  #told(call: string): void {
    this.calls.push(call);
  }
}

/** Which save it was, lane by lane. */
function textOf(positions: Positions | undefined): string {
  const lanes = [...(positions ?? [])].map(
    ([lane, position]) => `${lane}:${(position as { at: number }).at}`,
  );
  return `{${lanes.sort().join(' ')}}`;
}
