import { describe, expect, it } from 'vitest';
import { type AirportState, advance, MissingDeparture } from '../src/airport-state.ts';
import { readAirports, readDepartures } from '../src/departures.ts';
import { enricher, type EnrichedDeparture } from '../src/enrich.ts';
import { expected } from '../src/expected.ts';

const enrich = enricher(readAirports());
const enriched = readDepartures(3000).map(enrich);

describe('advance', () => {
  const [first, second, third] = enriched.filter(({ airport }) => airport === 'ORD') as [
    EnrichedDeparture,
    EnrichedDeparture,
    EnrichedDeparture,
  ];

  it('passes by what is in a state already', () => {
    const state = advance(advance(undefined, first), second);
    expect(advance(state, first)).toBe(state);
    expect(advance(state, second)).toBe(state);
    expect(advance(state, third).seq).toBe(3);
  });

  it('refuses what does not come behind it: trying again would not help', () => {
    expect(() => advance(advance(undefined, first), third)).toThrow('Departure 3 of ORD came where 2');
    expect(() => advance(undefined, second)).toThrow(MissingDeparture);
    expect(new MissingDeparture('ORD', 3, 2)).toMatchObject({ code: 'EVENTS_STATE_GAP', retryable: false });
  });

  it('comes to what the input comes to, counted in another way', () => {
    const states = new Map<string, AirportState>();
    for (const each of enriched) states.set(each.airport, advance(states.get(each.airport), each));
    const wanted = expected(enriched.length);
    expect(states).toEqual(wanted.states);
    expect(states.size).toBeGreaterThan(150);
  });
});

describe('enricher', () => {
  it('knows every airport of the input, also those with a comma in their name', () => {
    const unknown = readDepartures(20_000)
      .map(enrich)
      .filter(({ airportName, toCity }) => airportName.length <= 3 || !/^.+, [A-Z]{2}$/.test(toCity));
    expect(unknown).toEqual([]);
    expect(readAirports().get('BTR')?.name).toBe('Baton Rouge Metropolitan, Ryan');
  });

  it('makes of each departure the row that another reading of the input expects', () => {
    const rows = enriched.map((each) => ({
      id: each.id,
      airport: each.airport,
      seq: each.seq,
      at: each.at,
      airport_name: each.airportName,
      destination: each.to,
      destination_city: each.toCity,
      delay: each.delay,
      miles: each.miles,
      is_late: each.isLate,
    }));
    expect(rows).toEqual(expected(enriched.length).rows);
  });
});
