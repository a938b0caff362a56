/** S7, S12 to S15, S20 and S21: where a source resumes. */

import assert from 'node:assert/strict';
import { type Positions, type Reading, type SourceBench, turns } from './source-bench.ts';
import { hasPositions, type SourceCheck, sourceCheck } from './source-check.ts';
import { type Answer, assertLanes, byLane, keyOf, type Lanes } from './source-comparison.ts';
import { codeOf } from './source-errors.ts';
import { absurdLikenesses, storedPosition } from './source-positions.ts';

const MIXTURES = 10;
const applies = { applies: hasPositions };

export const POSITION_CHECKS: readonly SourceCheck[] = [
  sourceCheck(
    'S12',
    'has no positions: a harness without absurdPositions says so',
    async (bench) => {
      const answers = await bench.readAll(2);
      const advice = 'give its harness absurdPositions, so that they are tried.';
      assert(!answers.some(({ hasPosition }) => hasPosition), `It answers positions: ${advice}`);
      const canCommit = 'commit' in bench.place.create();
      assert(!canCommit, `It can commit positions: ${advice}`);
    },
    { applies: (harness) => !hasPositions(harness) },
  ),
  sourceCheck(
    'S7',
    'gives the positions of a lane in order, each of them behind its batch',
    async (bench) => {
      const answers = await positioned(bench, bench.anyDemand);
      const source = bench.place.create();
      if (source.comparePositions !== undefined) {
        for (const [lane, own] of inLanes(answers)) {
          for (const [index, answer] of own.slice(1).entries()) {
            const order = source.comparePositions(own[index]?.position, answer.position);
            const isInOrder = answer.items.length > 0 ? order < 0 : order <= 0;
            assert(
              isInOrder,
              `In lane '${lane}' position ${index + 2} does not lie behind the one before it (${order}).`,
            );
          }
        }
      }
      const at = Math.floor(answers.length / 2);
      await resumeAfter(bench, answers, at);
    },
    applies,
  ),
  sourceCheck(
    'S12',
    'resumes after any item, with all that came behind it and nothing from before',
    async (bench) => {
      const answers = await positioned(bench, 1);
      for (const at of answers.keys()) await resumeAfter(bench, answers, at);
    },
    applies,
  ),
  sourceCheck(
    'S12',
    'resumes after batches of any size',
    async (bench) => {
      const answers = await positioned(bench, bench.anyDemand);
      for (const at of answers.keys()) await resumeAfter(bench, answers, at);
    },
    applies,
  ),
  sourceCheck(
    'S12',
    'resumes where some lanes are committed and others are not, each at a place of its own',
    async (bench) => {
      const answers = await positioned(bench, bench.anyDemand);
      const lanes = inLanes(answers);
      for (const [lane, own] of lanes) {
        await resumeAt(bench, lanes, new Map([[lane, Math.floor((own.length - 1) / 2)]]));
      }
      for (let mixture = 0; mixture < MIXTURES; mixture += 1) {
        const stands = new Map<string, number>();
        for (const [lane, own] of lanes) {
          if (bench.random.chance(0.7)) stands.set(lane, bench.random.integer(0, own.length - 1));
        }
        await resumeAt(bench, lanes, stands);
      }
    },
    applies,
  ),
  sourceCheck(
    'S13',
    'refuses a position that it cannot have given, with an error that has a code',
    async (bench) => {
      const lanes = [...inLanes(await positioned(bench, 3))];
      for (const [lane, own] of lanes.slice(0, 2)) {
        for (const absurd of await absurdOf(bench, lane, own)) {
          const failure = await refusal(bench, new Map([[lane, absurd]]));
          const what = `${inspectShortly(absurd)} as a position in lane '${lane}'`;
          assert(failure !== undefined, `It took ${what}.`);
          codeOf(failure.error, `Given ${what}`);
        }
      }
    },
    applies,
  ),
  sourceCheck(
    'S14',
    'orders the positions of a lane as they came, and calls none the same between which an item lies',
    async (bench) => {
      const source = bench.place.create();
      if (source.comparePositions === undefined) return;
      const runs = [await positioned(bench, 1), await positioned(bench, 4)];
      for (const lane of inLanes(runs[0] as Answer[]).keys()) {
        const places = runs.flatMap((answers) => placesIn(inLanes(answers).get(lane) ?? []));
        for (const a of places) {
          for (const b of places) {
            const order = source.comparePositions(a.position, b.position);
            const what = `in lane '${lane}', after item ${a.after} against after item ${b.after}: ${order}`;
            if (a.after !== b.after)
              assert(Math.sign(order) === Math.sign(a.after - b.after), `Out of order ${what}.`);
            const back = source.comparePositions(b.position, a.position);
            assert(
              Math.sign(order) === -Math.sign(back),
              `Another order the other way round ${what}, ${back}.`,
            );
          }
          const same = source.comparePositions(a.position, storedPosition(a.position));
          assert(same === 0, `A position is not the same as what a store gives back of it (${same}).`);
        }
      }
    },
    applies,
  ),
  sourceCheck(
    'S15',
    'gives positions of plain data, which do not change and are as good from a store',
    async (bench) => {
      const reading = bench.reading();
      await reading.open();
      const kept: { answer: Answer; stored: unknown }[] = [];
      const { answers } = reading;
      let seen = 0;
      await reading.readAll(() => {
        for (; seen < answers.length; seen += 1) kept.push(keep(answers[seen] as Answer));
        return 3;
      }, bench.expected.length);
      for (; seen < answers.length; seen += 1) kept.push(keep(answers[seen] as Answer));
      await reading.close();
      for (const [index, { answer, stored }] of kept.entries()) {
        assert.deepEqual(storedPosition(answer.position), stored, `Position ${index + 1} was changed later.`);
      }
      assertPositions(answers);
      await resumeAfter(bench, answers, Math.floor(answers.length / 3));
    },
    applies,
  ),
  sourceCheck(
    'S20',
    'does not keep the next from resuming, when it was killed in the middle of a batch and never closed',
    async (bench) => {
      const due = byLane(await positioned(bench, 1));
      const killed = bench.reading();
      await killed.open();
      const half = Math.ceil(bench.expected.length / 2);
      await killed.read(half, 3);
      const committed = new Map(killed.positions);
      const behind = [...killed.answers];
      await killed.read(Math.min(4, bench.expected.length - half), 2);
      // One is outstanding, too.
      const outstanding = killed.pull(2).catch(() => {});
      await bench.resume(committed, without(due, byLane(behind)), 'After a kill in the middle of a batch');
      if (!bench.isEndless) await outstanding;
    },
    applies,
  ),
  sourceCheck(
    'S21',
    'takes the position of any batch it answered as a commit, after stop too',
    async (bench) => {
      const reading = bench.reading();
      await reading.open();
      await reading.read(Math.ceil(bench.expected.length / 2), 3);
      const earlier = reading.answers[0] as Answer;
      await reading.commit(new Map([[earlier.lane, earlier.position]]));
      await reading.stop();
      await reading.commit(reading.positions);
      await reading.commit(new Map());
      await reading.close();
    },
    applies,
  ),
  sourceCheck(
    'S21',
    'resumes by itself after what was last committed to it, if it keeps its positions',
    async (bench) => {
      if (bench.place.create().commit === undefined) return;
      const all = byLane(await positioned(bench, 1));
      const reading = bench.reading();
      await reading.open();
      const third = Math.ceil(bench.expected.length / 3);
      await reading.read(third, 2);
      const committed = new Map(reading.positions);
      const behind = byLane(reading.answers);
      // Handed out, and not committed.
      await reading.read(Math.min(third, bench.expected.length - third), 2);
      await reading.commit(committed);
      await reading.close(new Error('The run failed.'));
      const due = without(all, behind);
      const count = [...due.values()].reduce((sum, keys) => sum + keys.length, 0);
      const answers = await bench.readAll(bench.anyDemand, undefined, count);
      assertLanes(byLane(answers), due, 'Opened without positions after a commit');
    },
    applies,
  ),
];

/** A whole run, in which every answer has a position. */
export async function positioned(bench: SourceBench, demand: number | (() => number)): Promise<Answer[]> {
  const answers = await bench.readAll(demand);
  assertPositions(answers);
  return answers;
}

function assertPositions(answers: readonly Answer[]): void {
  const bare = answers.findIndex(({ hasPosition }) => !hasPosition);
  assert.equal(bare, -1, `Answer ${bare + 1} has no position, and the harness has absurdPositions.`);
  assert(answers.length > 0, 'It answered nothing.');
}

function keep(answer: Answer): { answer: Answer; stored: unknown } {
  return { answer, stored: storedPosition(answer.position, `the position of lane '${answer.lane}'`) };
}

function inLanes(answers: readonly Answer[]): Map<string, Answer[]> {
  const lanes = new Map<string, Answer[]>();
  for (const answer of answers) {
    const own = lanes.get(answer.lane);
    if (own === undefined) lanes.set(answer.lane, [answer]);
    else own.push(answer);
  }
  return lanes;
}

function placesIn(answers: readonly Answer[]): { readonly after: number; readonly position: unknown }[] {
  let after = 0;
  return answers.map(({ items, position }) => {
    after += items.length;
    return { after, position };
  });
}

/** Resumes after answer `at` and all before it. */
async function resumeAfter(bench: SourceBench, answers: readonly Answer[], at: number): Promise<void> {
  const positions = new Map<string, unknown>();
  for (const { lane, position } of answers.slice(0, at + 1)) positions.set(lane, position);
  const due = without(byLane(answers), byLane(answers.slice(0, at + 1)));
  await bench.resume(positions, due, `Resumed after answer ${at + 1} of ${answers.length}`);
}

/** Resumes each lane that is named after its answer of that index, the others at their beginning. */
async function resumeAt(
  bench: SourceBench,
  lanes: ReadonlyMap<string, readonly Answer[]>,
  stands: ReadonlyMap<string, number>,
): Promise<void> {
  const positions = new Map<string, unknown>();
  const due = new Map<string, string[]>();
  for (const [lane, own] of lanes) {
    const at = stands.get(lane) ?? -1;
    if (at >= 0) positions.set(lane, own[at]?.position);
    due.set(
      lane,
      own.slice(at + 1).flatMap(({ keys }) => keys),
    );
  }
  const text = [...stands].map(([lane, at]) => `'${lane}' after answer ${at + 1}`).join(', ');
  await bench.resume(positions, due, `Resumed with ${text === '' ? 'no lane' : text}`);
}

/** What is left of the lanes, which begin with these. */
export function without(lanes: Lanes, begun: Lanes): Map<string, string[]> {
  return new Map([...lanes].map(([lane, keys]) => [lane, keys.slice(begun.get(lane)?.length ?? 0)]));
}

async function absurdOf(bench: SourceBench, lane: string, own: readonly Answer[]): Promise<unknown[]> {
  const given = await bench.harness.absurdPositions?.(lane, bench.place);
  return [...absurdLikenesses(own.map(({ position }) => position)), ...(given ?? [])];
}

/** How it refuses to be opened there, or to answer the first pull. */
export async function refusal(
  bench: SourceBench,
  positions: Positions,
  reading: Reading = bench.reading(),
): Promise<{ readonly error: unknown } | undefined> {
  try {
    await reading.open(positions);
    // Of a source without an end an answer may never come: then it has taken what it was given.
    const answer = reading.pull(1);
    if (bench.isEndless) await settledOrQuiet(answer);
    else await answer;
  } catch (error) {
    await reading.close(error);
    return { error };
  }
  await reading.stop();
  await reading.close();
  return undefined;
}

/** What it answers, or nothing where that takes long. */
async function settledOrQuiet(answer: Promise<unknown>): Promise<void> {
  let isSettled = false;
  const settled = answer.finally(() => {
    isSettled = true;
  });
  settled.catch(() => {});
  for (const until = performance.now() + 300; !isSettled && performance.now() < until; ) await turns();
  if (isSettled) await settled;
}

/** The absurd positions of the first lane, for checks that need an open that fails. */
export async function absurdPositionsOf(bench: SourceBench): Promise<Positions | undefined> {
  if (!hasPositions(bench.harness)) return undefined;
  const [first] = inLanes(await positioned(bench, 3));
  if (first === undefined) return undefined;
  const [lane, own] = first;
  const [absurd] = await absurdOf(bench, lane, own);
  return new Map([[lane, absurd]]);
}

/** All that may be wrong with positions. */
export async function allAbsurdPositions(bench: SourceBench): Promise<Positions[]> {
  if (!hasPositions(bench.harness)) return [];
  const [first] = inLanes(await positioned(bench, 3));
  if (first === undefined) return [];
  const [lane, own] = first;
  return (await absurdOf(bench, lane, own)).map((absurd) => new Map([[lane, absurd]]));
}

function inspectShortly(value: unknown): string {
  const text = keyOf(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
