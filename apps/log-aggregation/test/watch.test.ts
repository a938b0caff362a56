import { describe, expect, it } from 'vitest';
import { parseLine } from '../src/parse.ts';
import { Watch } from '../src/watch.ts';

/** An error of a log each so many milliseconds. */
const errors = (times: readonly number[], log = 'app.log') =>
  times.map((time, at) => parseLine(log, at + 1, JSON.stringify({ level: 50, time: 1e12 + time })));

const idsOf = (watch: Watch, entries: ReturnType<typeof errors>) =>
  entries.flatMap((entry) => watch.see(entry)).map(({ id }) => id);

describe('Watch.see', () => {
  it('tells once when a rule begins to hold, and again when it has ceased to in between', () => {
    const times = [0, 100, 200, 300, 400, 500, 600, 5000, 9000, 9100, 9200, 9300, 9400];
    expect(idsOf(new Watch(), errors(times))).toEqual(['errors/app.log:5', 'errors/app.log:13']);
  });

  it('counts none that are too long ago, and of two logs each by itself', () => {
    expect(idsOf(new Watch(), errors([0, 300, 600, 900, 1001]))).toEqual([]);
    const watch = new Watch();
    expect(idsOf(watch, errors([0, 1, 2], 'a.log'))).toEqual([]);
    expect(idsOf(watch, errors([0, 1, 2], 'b.log'))).toEqual([]);
  });

  it('does not count twice what is written again', () => {
    const watch = new Watch();
    const entries = errors([0, 1, 2]);
    expect(idsOf(watch, [...entries, ...entries])).toEqual([]);
    expect(idsOf(watch, errors([0, 1, 2, 3, 4]))).toEqual(['errors/app.log:5']);
  });

  it('takes the clock of a log not back, where a line is late', () => {
    expect(idsOf(new Watch(), errors([2000, 0, 1, 2, 3]))).toEqual(['errors/app.log:5']);
  });

  it('tells of slow requests, missing pages and odd lines', () => {
    const watch = new Watch();
    const said = Array.from({ length: 10 }, () => ({ level: 30, time: 1e12, ms: 300, status: 404 }));
    const lines = [...said.map((each) => JSON.stringify(each)), 'odd', 'odd again'];
    const alerts = lines.flatMap((line, at) => watch.see(parseLine('app.log', at + 1, line)));
    expect(alerts.map(({ id, text }) => [id, text])).toEqual([
      ['missing/app.log:3', '3 answers of 404 within a minute: a link may be broken'],
      ['slow/app.log:10', '10 of the last 10 requests took 250 ms or more'],
      ['odd/app.log:11', 'a line that nobody understands'],
    ]);
  });
});
