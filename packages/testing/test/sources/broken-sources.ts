/** Sources that break one rule each, on purpose: the correct one with a defect around it. */

import { openSync } from 'node:fs';
import type { Positioned, Source, SourceContext } from '@streamweld/core';
import { StreamWeldError } from '@streamweld/core/connector';
import type { Broken, LaneHarnessOptions, LanePosition } from './lane-source.ts';
import { turn } from './lane-source.ts';

type Lane = Source<string, LanePosition>;
type Answer = Positioned<string, LanePosition>;
type Pulled = Answer | readonly string[] | undefined;

export interface BrokenSource {
  readonly rule: string;
  readonly defect: string;
  /** What the check says of it: it is caught for the right reason. */
  readonly says: RegExp;
  readonly broken: Broken;
  readonly on?: LaneHarnessOptions;
}

/** What broken sources left open: closed by the test. */
export const leftOpen: number[] = [];
export const leftRunning: NodeJS.Timeout[] = [];

const ENDLESS: LaneHarnessOptions = { isEndless: true, lanes: 2 };
const NEVER: Promise<never> = new Promise(() => {});

/** The same source, but for some methods. */
function but(source: Lane, methods: Partial<Lane>): Lane {
  return {
    name: 'lanes',
    open: (context) => source.open?.(context),
    pull: (demand) => source.pull(demand),
    stop: () => source.stop?.(),
    commit: (positions) => source.commit?.(positions),
    comparePositions: (a, b) => source.comparePositions?.(a, b) ?? 0,
    close: (reason) => source.close?.(reason),
    ...methods,
  };
}

/** Answers something else. */
function answering(change: (answer: Answer, demand: number) => Pulled): Broken {
  return (source) =>
    but(source, {
      pull: async (demand) => {
        const answer = (await source.pull(demand)) as Answer | undefined;
        return answer === undefined ? undefined : change(answer, demand);
      },
    });
}

/** Resumes elsewhere. */
function opening(
  change: (positions: Map<string, LanePosition>, context: SourceContext<LanePosition>) => unknown,
): Broken {
  return (source) =>
    but(source, {
      open: async (context) => {
        const positions = new Map(context.positions);
        await change(positions, context);
        await source.open?.({ ...context, positions });
      },
    });
}

/** Throws something else. */
function failing(change: (error: StreamWeldError) => unknown): Broken {
  const changed = async <T>(body: () => T): Promise<Awaited<T>> => {
    try {
      return await body();
    } catch (error) {
      throw change(error as StreamWeldError);
    }
  };
  return (source) =>
    but(source, {
      open: (context) => changed(() => source.open?.(context)),
      pull: (demand) => changed(() => source.pull(demand)),
    });
}

const denied = (error: StreamWeldError): boolean => error.code === 'LANES_ACCESS_DENIED';
const damaged = (error: StreamWeldError): boolean => error.code === 'LANES_ITEM_DAMAGED';

class ClassyPosition {
  readonly place: number;
  readonly at: number;

  constructor({ place, at }: LanePosition) {
    this.place = place;
    this.at = at;
  }
}

export const BROKEN_SOURCES: readonly BrokenSource[] = [
  {
    rule: 'S3',
    defect: 'answers one more than it was asked for',
    says: /pull\(1\) answered 2 items/,
    broken: (source) => but(source, { pull: (demand) => source.pull(demand + 1) }),
  },
  {
    rule: 'S3',
    defect: 'answers an empty array while nothing is there',
    says: /answered an empty array/,
    broken: (source) => {
      let pulls = 0;
      return but(source, { pull: (demand) => (++pulls % 4 === 0 ? [] : source.pull(demand)) });
    },
  },
  {
    rule: 'S3',
    defect: 'loses what does not fit into a page of five',
    says: /Lost: 'item/,
    broken: answering((answer, demand) =>
      demand < 6 ? answer : { ...answer, items: answer.items.slice(0, 5) },
    ),
  },
  {
    rule: 'S4',
    defect: 'waits until as much is there as was asked for',
    says: /did not come within/,
    on: { isEndless: true, lanes: 1 },
    broken: (source) =>
      but(source, {
        pull: async (demand) => {
          const items: string[] = [];
          for (;;) {
            const answer = (await source.pull(demand - items.length)) as Answer | undefined;
            if (answer === undefined) return undefined;
            items.push(...answer.items);
            if (items.length === demand) return { ...answer, items };
          }
        },
      }),
  },
  {
    rule: 'S5',
    defect: 'takes a batch that is not full for the last',
    says: /0 items came, and 1 were due/,
    broken: answering((answer, demand) =>
      answer.items.length < demand && demand > 900 ? undefined : answer,
    ),
  },
  {
    rule: 'S5',
    defect: 'waits for ever where there is nothing',
    says: /did not come within/,
    broken: (source, place) =>
      but(source, { pull: (demand) => (place.items.length === 0 ? NEVER : source.pull(demand)) }),
  },
  {
    rule: 'S6',
    defect: 'fills the same array again',
    says: /was changed later/,
    broken: (source) => {
      const shared: string[] = [];
      return answering((answer) => {
        shared.length = 0;
        shared.push(...answer.items);
        return { ...answer, items: shared };
      })(source, undefined as never);
    },
  },
  {
    rule: 'S6',
    defect: 'empties an array when the next is asked for',
    says: /was changed later/,
    broken: (source) => {
      let last: string[] = [];
      return answering((answer) => {
        last.length = 0;
        last = [...answer.items];
        return { ...answer, items: last };
      })(source, undefined as never);
    },
  },
  {
    rule: 'S7',
    defect: 'gives the position before the batch',
    says: /came, and .* was due/,
    broken: answering((answer) => ({
      ...answer,
      position: { ...answer.position, at: answer.position.at - answer.items.length },
    })),
  },
  {
    rule: 'S7',
    defect: 'gives the positions of a lane out of order',
    says: /does not lie behind the one before it/,
    broken: (source, place) =>
      answering((answer) => ({
        ...answer,
        position: {
          ...answer.position,
          at: (place.lanes.get(answer.lane ?? '')?.length ?? 0) - answer.position.at,
        },
      }))(source, place),
  },
  {
    rule: 'S9',
    defect: 'goes on waiting when it is stopped',
    says: /did not come within/,
    on: ENDLESS,
    broken: (source) => but(source, { stop: () => {} }),
  },
  {
    rule: 'S9',
    defect: 'loses what the outstanding pull had taken when it is stopped',
    says: /Lost: 'item|was due/,
    broken: (source) => {
      let isStopped = false;
      return but(source, {
        pull: async (demand) => {
          const answer = (await source.pull(demand)) as Answer | undefined;
          return isStopped && answer !== undefined ? { ...answer, items: [] } : answer;
        },
        // It lets the pull take what it takes, and then throws it away.
        stop: () => {
          isStopped = true;
        },
      });
    },
  },
  {
    rule: 'S10',
    defect: 'fails to close when it could not be opened',
    says: /nothing to close/,
    broken: (source) => {
      let isOpen = false;
      return but(source, {
        open: async (context) => {
          await source.open?.(context);
          isOpen = true;
        },
        close: (reason) => {
          if (!isOpen)
            throw new StreamWeldError('LANES_NOT_OPEN', 'There is nothing to close. Open it first.');
          return source.close?.(reason);
        },
      });
    },
  },
  {
    rule: 'S10',
    defect: 'never ends its closing when it has a reason',
    says: /close did not come within/,
    broken: (source) => {
      return but(source, {
        close: async (reason) => {
          await source.close?.(reason);
          if (reason !== undefined) await NEVER;
        },
      });
    },
  },
  {
    rule: 'S12',
    defect: 'begins with the item it was at',
    says: /came, and/,
    broken: opening((positions) => {
      for (const [lane, { place, at }] of positions) positions.set(lane, { place, at: Math.max(0, at - 1) });
    }),
  },
  {
    rule: 'S12',
    defect: 'leaves out the item behind the one it was at',
    says: /came, and/,
    broken: (source, place) =>
      opening((positions) => {
        for (const [lane, { place: id, at }] of positions) {
          const end = place.lanes.get(lane)?.length ?? 0;
          if (at > 0 && at < end) positions.set(lane, { place: id, at: at + 1 });
        }
      })(source, place),
  },
  {
    rule: 'S12',
    defect: 'takes a lane without a position for one that is done',
    says: /came, and/,
    broken: (source, place) =>
      opening((positions) => {
        if (positions.size === 0) return;
        for (const [lane, { length }] of place.lanes) {
          if (!positions.has(lane)) positions.set(lane, { place: place.id, at: length });
        }
      })(source, place),
  },
  {
    rule: 'S12',
    defect: 'resumes all lanes at the least of their positions',
    says: /came, and/,
    broken: opening((positions) => {
      const least = Math.min(...[...positions.values()].map(({ at }) => at));
      for (const [lane, { place }] of positions) positions.set(lane, { place, at: least });
    }),
  },
  {
    rule: 'S13',
    defect: 'takes null for the beginning',
    says: /It took null as a position/,
    broken: opening((positions) => {
      for (const [lane, position] of positions) if (position === null) positions.delete(lane);
    }),
  },
  {
    rule: 'S13',
    defect: 'takes a position beyond the end for the end',
    says: /It took .* as a position/,
    broken: (source, place) =>
      opening((positions) => {
        for (const [lane, position] of positions) {
          const end = place.lanes.get(lane)?.length ?? 0;
          if (position?.at > end) positions.set(lane, { ...position, at: end });
        }
      })(source, place),
  },
  {
    rule: 'S13',
    defect: 'takes the position of another place',
    says: /It took .* as a position/,
    broken: (source, place) =>
      opening((positions) => {
        for (const [lane, position] of positions) {
          if (typeof position?.place === 'number') positions.set(lane, { ...position, place: place.id });
        }
      })(source, place),
  },
  {
    rule: 'S13',
    defect: 'refuses a position without a code',
    says: /has no code/,
    broken: failing((error) =>
      error.code === 'LANES_POSITION_INVALID' ? new TypeError('at is not a number') : error,
    ),
  },
  {
    rule: 'S14',
    defect: 'compares numbers as texts',
    says: /Out of order/,
    broken: (source) => but(source, { comparePositions: (a, b) => `${a.at}`.localeCompare(`${b.at}`, 'en') }),
  },
  {
    rule: 'S14',
    defect: 'calls all positions the same',
    says: /Out of order/,
    broken: (source) => but(source, { comparePositions: () => 0 }),
  },
  {
    rule: 'S14',
    defect: 'calls a position less than itself',
    says: /not the same as what a store gives back|Another order/,
    broken: (source) => but(source, { comparePositions: (a, b) => (a.at > b.at ? 1 : -1) }),
  },
  {
    rule: 'S15',
    defect: 'gives objects of a class',
    says: /no plain data: an object of the class ClassyPosition/,
    broken: answering((answer) => ({ ...answer, position: new ClassyPosition(answer.position) })),
  },
  {
    rule: 'S15',
    defect: 'moves the same object on',
    says: /was changed later/,
    broken: (source) => {
      const moved = new Map<string, { place: number; at: number }>();
      return answering((answer) => {
        const position = moved.get(answer.lane ?? '') ?? { place: 0, at: 0 };
        moved.set(answer.lane ?? '', position);
        return { ...answer, position: Object.assign(position, answer.position) };
      })(source, undefined as never);
    },
  },
  {
    rule: 'S15',
    defect: 'knows its positions again by the object alone',
    says: /not one of mine/,
    broken: (source) => {
      const mine = new WeakSet<LanePosition>();
      return opening((positions) => {
        for (const position of positions.values()) {
          if (mine.has(position)) continue;
          throw new StreamWeldError('LANES_POSITION_FOREIGN', 'This position is not one of mine. Forget it.');
        }
      })(source, undefined as never);
    },
  },
  {
    rule: 'S16',
    defect: 'goes on waiting when the run was aborted',
    says: /the answer to pull.* did not come within/,
    on: ENDLESS,
    broken: opening((_, context) => {
      Object.assign(context, { signal: new AbortController().signal });
    }),
  },
  {
    rule: 'S16',
    defect: 'goes on opening when the run was aborted',
    says: /open did not come within/,
    broken: opening(async (_, { signal }) => {
      await turn();
      if (signal.aborted) await NEVER;
    }),
  },
  {
    rule: 'S17',
    defect: 'leaves a timer running',
    says: /Left behind: \d+ handle \(Timeout\)/,
    broken: opening(() => {
      leftRunning.push(setInterval(() => {}, 60_000));
    }),
  },
  {
    rule: 'S17',
    defect: 'leaves a listener on the signal of the run',
    says: /Left behind: 1 signal listener/,
    broken: opening((_, { signal }) => signal.addEventListener('abort', () => {})),
  },
  {
    rule: 'S17',
    defect: 'leaves a file open when it is closed with a pull outstanding',
    says: /Left behind: \d+ file/,
    broken: (source) => {
      let isPulling = false;
      return but(source, {
        pull: async (demand) => {
          isPulling = true;
          try {
            return await source.pull(demand);
          } finally {
            isPulling = false;
          }
        },
        close: (reason) => {
          if (isPulling) leftOpen.push(openSync(import.meta.filename, 'r'));
          return source.close?.(reason);
        },
      });
    },
  },
  {
    rule: 'S17',
    defect: 'leaves a file open when its opening fails',
    says: /Left behind: \d+ file/,
    broken: (source) =>
      but(source, {
        open: async (context) => {
          try {
            await source.open?.(context);
          } catch (error) {
            leftOpen.push(openSync(import.meta.filename, 'r'));
            throw error;
          }
        },
      }),
  },
  {
    rule: 'S18',
    defect: 'takes all there is when it is opened',
    says: /It has taken \d+ items ahead/,
    on: { largeCount: 20_000, deadlineMs: 5000 },
    broken: (source) => {
      const taken: Answer[] = [];
      return but(source, {
        open: async (context) => {
          await source.open?.(context);
          if (context.signal.aborted) return;
          for (;;) {
            const answer = (await source.pull(1000)) as Answer | undefined;
            if (answer === undefined) return;
            for (const [index, item] of answer.items.entries()) {
              const at = answer.position.at - answer.items.length + index + 1;
              taken.push({ ...answer, items: [item], position: { ...answer.position, at } });
            }
          }
        },
        pull: () => taken.shift(),
      });
    },
  },
  {
    rule: 'S18',
    defect: 'keeps a copy of what it has handed out',
    says: /It holds .* MiB more after/,
    on: { deadlineMs: 5000 },
    broken: (source) => {
      const kept: string[] = [];
      return answering((answer) => {
        for (const item of answer.items) kept.push(Buffer.from(item.repeat(3)).toString());
        return answer;
      })(source, undefined as never);
    },
  },
  {
    rule: 'S19',
    defect: 'throws an error without a code',
    says: /has no code/,
    broken: failing((error) => (damaged(error) ? new Error('The item was damaged.') : error)),
  },
  {
    rule: 'S19',
    defect: 'names the code of the system as its own',
    says: /has no code of its own \(ECONNREFUSED\)/,
    broken: failing((error) =>
      damaged(error) ? Object.assign(new Error('connect failed'), { code: 'ECONNREFUSED' }) : error,
    ),
  },
  {
    rule: 'S19',
    defect: 'has the options, password included, in a property of its error',
    says: /has 'kestrel/,
    broken: (source, place) => {
      const password = place.password ?? 'kestrel-7Qx9-planted-secret';
      return failing((error) => (denied(error) ? Object.assign(error, { options: { password } }) : error))(
        source,
        place,
      );
    },
  },
  {
    rule: 'S19',
    defect: 'quotes the damaged item in the cause of its error',
    says: /of the error of what it throws has 'kestrel/,
    broken: (source, place) =>
      failing((error) =>
        damaged(error)
          ? new StreamWeldError(error.code, error.message, {
              cause: new SyntaxError(`Unexpected token in ${place.damaged}`),
            })
          : error,
      )(source, place),
  },
  {
    rule: 'S19',
    defect: 'quotes an item in the message of its error',
    says: /has 'item/,
    broken: (source, place) =>
      failing((error) => new StreamWeldError(error.code, `Stopped before ${place.items[0]}: try again.`))(
        source,
        place,
      ),
  },
  {
    rule: 'S20',
    defect: 'keeps its place locked until it is closed',
    says: /is locked/,
    broken: (source, place) =>
      but(source, {
        open: async (context) => {
          if (place.isLocked)
            throw new StreamWeldError('LANES_PLACE_LOCKED', 'The place is locked. Unlock it.');
          await source.open?.(context);
          place.isLocked = true;
        },
        close: (reason) => {
          place.isLocked = false;
          return source.close?.(reason);
        },
      }),
  },
  {
    rule: 'S21',
    defect: 'takes no commit after stop',
    says: /has stopped/,
    broken: (source) => {
      let isStopped = false;
      return but(source, {
        stop: () => {
          isStopped = true;
          return source.stop?.();
        },
        commit: (positions) => {
          if (isStopped) throw new StreamWeldError('LANES_STOPPED', 'It has stopped. Commit before.');
          return source.commit?.(positions);
        },
      });
    },
  },
  {
    rule: 'S21',
    defect: 'commits what it has handed out, instead of what it is given',
    says: /came, and/,
    broken: (source) => {
      const last = new Map<string, LanePosition>();
      return but(
        answering((answer) => {
          last.set(answer.lane ?? '', answer.position);
          return answer;
        })(source, undefined as never),
        { commit: () => source.commit?.(last) },
      );
    },
  },
  {
    rule: 'S21',
    defect: 'forgets what was committed to it',
    says: /came, and/,
    broken: (source) => but(source, { commit: () => {} }),
  },
];
