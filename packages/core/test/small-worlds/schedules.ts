/**
 * All ways to decide, one after the other: whoever performs a schedule asks what to do next, and is told another thing
 * when it is performed again, until everything was tried. It works where nobody knows what can be done next until what
 * came before is done.
 */

export interface Chooser {
  /** One of so many, from 0. */
  choose(count: number): number;
  /** The choice before makes no difference: its other answers are not tried. */
  skipRest(): void;
}

interface Choice {
  answer: number;
  count: number;
}

/** Performs every schedule; answers how many. Stops where one throws. */
export async function tryAll(perform: (chooser: Chooser) => Promise<void>): Promise<number> {
  let path: Choice[] = [];
  for (let schedules = 1; ; schedules++) {
    const given = path;
    const taken: Choice[] = [];
    await perform({
      choose: (count) => {
        const answer = given[taken.length]?.answer ?? 0;
        taken.push({ answer, count });
        return answer;
      },
      skipRest: () => {
        const last = taken.at(-1);
        if (last !== undefined) last.count = last.answer + 1;
      },
    });
    path = taken;
    while (path.length > 0) {
      const last = path.at(-1) as Choice;
      last.answer += 1;
      if (last.answer < last.count) break;
      path.pop();
    }
    if (path.length === 0) return schedules;
  }
}

/** A schedule that went wrong, as a text that can be replayed. */
export class ScheduleError extends Error {
  override readonly name: string = 'ScheduleError';
  readonly schedule: string;

  constructor(schedule: string, what: string) {
    super(`${what}\n  in: ${schedule}`);
    this.schedule = schedule;
  }
}
