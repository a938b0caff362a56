import { describe, expect, it } from 'vitest';
import type { Flight } from '../src/flight.ts';
import { RowLedger } from '../src/row-ledger.ts';
import { AirportStatistics, latestAirport, longestRun, OnTimeRuns } from '../src/statistics.ts';

/** Flights given as `'AAA 5'`: the airport, and how late. */
function flights(...texts: readonly string[]): Flight[] {
  return texts.map((text, row) => {
    const [origin, delay] = text.split(' ') as [string, string];
    return { row, date: '2001-01-01T00:00', delay: Number(delay), distance: 1, origin, destination: 'ZZZ' };
  });
}

describe('AirportStatistics', () => {
  it('counts flights, late ones from 15 minutes on, and the sum of delays', () => {
    const statistics = new AirportStatistics();
    statistics.add(flights('AAA 14', 'BBB 15', 'AAA -10'));
    statistics.add(flights('AAA 200'));
    expect(statistics.flights).toBe(4);
    expect([...statistics.airports]).toEqual([
      ['AAA', { flights: 3, late: 1, delay: 204 }],
      ['BBB', { flights: 1, late: 1, delay: 15 }],
    ]);
  });
});

describe('latestAirport', () => {
  it('is the one with the largest share of late flights, if it has enough flights', () => {
    const statistics = new AirportStatistics();
    statistics.add(flights('AAA 20', 'AAA 0', 'AAA 40', 'BBB 20', 'BBB 0', 'CCC 99'));
    expect(latestAirport(statistics.airports, 2)).toEqual({
      airport: 'AAA',
      lateShare: 2 / 3,
      averageDelay: 20,
    });
    expect(latestAirport(statistics.airports, 1)?.airport).toBe('CCC');
    expect(latestAirport(statistics.airports, 10)).toBeUndefined();
    expect(latestAirport(new Map(), 1)).toBeUndefined();
  });
});

describe('OnTimeRuns', () => {
  it('finds the longest run of each airport, over batches and among other airports', () => {
    const runs = new OnTimeRuns();
    runs.add(flights('AAA 0', 'BBB 99', 'AAA 14'));
    runs.add(flights('AAA -3', 'AAA 15', 'BBB 0', 'AAA 0'));
    expect(runs.longest).toEqual(
      new Map([
        ['AAA', 3],
        ['BBB', 1],
      ]),
    );
  });

  it('comes to something else where the order is not kept', () => {
    const inOrder = new OnTimeRuns();
    inOrder.add(flights('AAA 0', 'AAA 0', 'AAA 20'));
    const shuffled = new OnTimeRuns();
    shuffled.add(flights('AAA 0', 'AAA 20', 'AAA 0'));
    expect(inOrder.longest).not.toEqual(shuffled.longest);
  });

  it('knows an airport that was never on time', () => {
    const runs = new OnTimeRuns();
    runs.add(flights('AAA 20'));
    expect(runs.longest).toEqual(new Map([['AAA', 0]]));
  });
});

describe('longestRun', () => {
  it('is the longest, and of equals the first by name', () => {
    const runs = new Map([
      ['CCC', 7],
      ['BBB', 9],
      ['AAA', 9],
    ]);
    expect(longestRun(runs)).toEqual({ airport: 'AAA', flights: 9 });
    expect(longestRun(new Map())).toBeUndefined();
  });
});

describe('RowLedger', () => {
  it('sees which rows are lost, which came twice, and which should not be there', () => {
    const ledger = new RowLedger();
    for (const row of [0, 1, 3, 3, 1_000_000]) ledger.mark(row);
    expect(ledger.rows).toBe(4);
    expect(ledger.doubled).toBe(1);
    expect(ledger.lostOf(5)).toBe(2);
    expect(ledger.beyond(5)).toBe(1);
    expect(ledger.lostOf(1_000_001)).toBe(1_000_001 - 4);
    expect(ledger.beyond(1_000_001)).toBe(0);
  });

  it('is at peace when all rows came once', () => {
    const ledger = new RowLedger();
    for (let row = 999; row >= 0; row -= 1) ledger.mark(row);
    expect([ledger.rows, ledger.doubled, ledger.lostOf(1000), ledger.beyond(1000)]).toEqual([1000, 0, 0, 0]);
  });
});
