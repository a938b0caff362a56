import { describe, expect, it } from 'vitest';
import { Archived, checkArchived } from '../src/archived.ts';
import { checkAlerts, checkCopies, checkPartition, type IndependentCount } from '../src/checks.ts';
import type { Flight } from '../src/flight.ts';
import { ReadBack } from '../src/read-back.ts';

const flight = (row: number, origin: string, minute = row): Flight => ({
  row,
  date: `2001-01-01T00:0${minute}`,
  delay: 0,
  distance: 1,
  origin,
  destination: 'ZZZ',
});

/** Three flights from AAA and one from BBB, all on time. */
const FLIGHTS = [flight(0, 'AAA'), flight(2, 'AAA'), flight(3, 'AAA'), flight(1, 'BBB')];

const EXPECTED: IndependentCount = {
  rows: 4,
  alerts: [],
  airports: new Map([
    ['AAA', { flights: 3, late: 0, delay: 0, longestRun: 3 }],
    ['BBB', { flights: 1, late: 0, delay: 0, longestRun: 1 }],
  ]),
};

/** Which of the checks hold, of files with these flights. */
function holds(flights: readonly Flight[], { files = 2, longestOfAaa = 3, read = 4 } = {}): boolean[] {
  const readBack = new ReadBack();
  readBack.add(flights);
  const partition = {
    report: { read },
    sinks: [{ delivered: 3 }, { delivered: 1 }],
    longestRuns: new Map([
      ['AAA', longestOfAaa],
      ['BBB', 1],
    ]),
  };
  return checkPartition(partition, files, readBack, EXPECTED).map((check) => check.holds);
}

describe('checkPartition', () => {
  it('holds where every flight is in its file, once and in order', () => {
    expect(holds(FLIGHTS)).toEqual([true, true, true, true]);
  });

  it('sees a flight that is lost', () => {
    expect(holds(FLIGHTS.slice(1))).toEqual([false, false, false, true]);
  });

  it('sees a flight that came twice in the place of another', () => {
    expect(holds([flight(0, 'AAA'), flight(2, 'AAA'), flight(2, 'AAA'), flight(1, 'BBB')])[1]).toBe(false);
  });

  it('sees rows, or dates, out of order', () => {
    const [first, second, third, fourth] = FLIGHTS as [Flight, Flight, Flight, Flight];
    expect(holds([first, third, second, fourth])).toEqual([true, false, true, true]);
    expect(holds([first, second, flight(3, 'AAA', 1), fourth])).toEqual([true, false, true, true]);
  });

  it('sees a flight in the file of another airport', () => {
    const [first, second, third, fourth] = FLIGHTS as [Flight, Flight, Flight, Flight];
    expect(holds([first, second, fourth, third])[1]).toBe(false);
  });

  it('sees a file too many, a wrong run, and a source that came short', () => {
    expect(holds(FLIGHTS, { files: 3 })).toEqual([true, true, false, true]);
    expect(holds(FLIGHTS, { longestOfAaa: 2 })).toEqual([true, true, true, false]);
    expect(holds(FLIGHTS, { read: 3 })).toEqual([false, true, true, true]);
  });
});

describe('checkCopies', () => {
  it('holds for equal tables alone', () => {
    expect(checkCopies([3, 3], 0)).toMatchObject({
      holds: true,
      text: 'both tables hold the same 3 flights, column by column',
    });
    expect(checkCopies([3, 2], 1).holds).toBe(false);
    expect(checkCopies([3, 3], 2)).toMatchObject({
      holds: false,
      text: 'the two tables hold 3 and 3 flights, of which 2 differ',
    });
  });
});

describe('checkAlerts', () => {
  const told = (row: number, origin: string, key = origin) => ({ key, flight: flight(row, origin) });
  const expected: IndependentCount = {
    ...EXPECTED,
    alerts: [
      { row: 0, airport: 'AAA', delay: 0 },
      { row: 1, airport: 'BBB', delay: 0 },
      { row: 2, airport: 'AAA', delay: 0 },
    ],
  };

  it('holds where each is there once, and those of an airport are in order', () => {
    expect(checkAlerts([told(1, 'BBB'), told(0, 'AAA'), told(2, 'AAA')], expected)).toEqual({
      of: 'broadcast',
      holds: true,
      text: '3 of 3 alerts in Kafka, 0 lost, 0 doubled, 0 out of order',
    });
  });

  it.each([
    ['lost', [told(0, 'AAA'), told(1, 'BBB')], '2 of 3 alerts in Kafka, 1 lost, 0 doubled, 0 out of order'],
    ['doubled', [0, 2, 2].map((row) => told(row, 'AAA')), '2 of 3 alerts in Kafka, 1 lost, 1 doubled'],
    ['there for nothing', [told(0, 'AAA'), told(1, 'BBB'), told(2, 'AAA'), told(3, 'AAA')], '1 doubled'],
    ['out of order', [told(2, 'AAA'), told(0, 'AAA'), told(1, 'BBB')], '1 out of order'],
    ['another than it was', [told(0, 'AAA'), told(1, 'AAA'), told(2, 'AAA')], '1 lost, 1 doubled'],
    ['under another key', [told(0, 'AAA'), told(1, 'BBB'), told(2, 'AAA', 'BBB')], '1 lost, 1 doubled'],
  ])('sees one that is %s', (_, alerts, text) => {
    expect(checkAlerts(alerts, expected)).toMatchObject({
      holds: false,
      text: expect.stringContaining(text) as string,
    });
  });
});

describe('checkArchived', () => {
  const IN_ORDER = FLIGHTS.toSorted((a, b) => a.row - b.row);

  /** Which of the checks hold, of an archive with these flights. */
  function archived(flights: readonly Flight[], read = 4): { holds: boolean[]; texts: string[] } {
    const found = new Archived();
    // In two objects, of which one ends where the other begins.
    for (const [index, batch] of [flights.slice(0, 2), flights.slice(2)].entries()) {
      found.objects.add(`${index}`);
      found.add(batch);
    }
    const checks = checkArchived({ report: { read } }, found, EXPECTED);
    return { holds: checks.map((check) => check.holds), texts: checks.map(({ text }) => text) };
  }

  it('holds where every flight is there once, in order over all objects', () => {
    expect(archived(IN_ORDER)).toEqual({
      holds: [true, true, true],
      texts: [
        '4 in, 4 back from 2 objects of S3',
        '0 lost in S3, 0 doubled, 0 out of order',
        'flights, late, delays equal in S3 at 2 of 2 airports',
      ],
    });
  });

  it('sees a flight that is lost, also at the end, and one that came twice', () => {
    const [first, second, third] = IN_ORDER as [Flight, Flight, Flight, Flight];
    for (const flights of [IN_ORDER.slice(1), IN_ORDER.slice(0, 3)])
      expect(archived(flights).holds).toEqual([false, false, false]);
    expect(archived([first, second, third, third]).texts).toContain(
      '1 lost in S3, 1 doubled, 0 out of order',
    );
    // In the place of another of its airport, the figures do not tell.
    expect(archived([first, second, third, third]).holds).toEqual([true, false, true]);
  });

  it('sees two out of order, where an object ends too', () => {
    const [first, second, third, fourth] = IN_ORDER as [Flight, Flight, Flight, Flight];
    expect(archived([first, third, second, fourth]).holds).toEqual([true, false, true]);
    expect(archived([second, first, third, fourth]).holds).toEqual([true, false, true]);
  });

  it('sees one that is none of them, one that is another than it was, and a source that came short', () => {
    expect(archived([...IN_ORDER, flight(4, 'AAA')]).holds).toEqual([false, false, false]);
    expect(archived(IN_ORDER.map((each) => ({ ...each, delay: 1 }))).holds).toEqual([true, true, false]);
    expect(archived(IN_ORDER, 3).holds).toEqual([false, true, true]);
  });
});
