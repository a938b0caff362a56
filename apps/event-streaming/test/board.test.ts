import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import type { WriteContext } from '@streamweld/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Board, type Row } from '../src/board.ts';
import { readAirports, readDepartures } from '../src/departures.ts';
import { type EnrichedDeparture, enricher } from '../src/enrich.ts';
import { expected } from '../src/expected.ts';

const departures = readDepartures(600).map(enricher(readAirports()));
const context = {} as WriteContext;

describe('Board', () => {
  let board: Board;
  beforeEach(async () => {
    board = await Board.open();
  });
  afterEach(() => board[Symbol.asyncDispose]());

  const write = (batch: readonly EnrichedDeparture[]) =>
    board.sink(() => Promise.resolve()).write(batch, context);

  async function ask(path: string, host = new URL(board.url).host): Promise<IncomingMessage> {
    const asking = request(new URL(path, board.url), { headers: { host } }).end();
    const [response] = (await once(asking, 'response')) as [IncomingMessage];
    return response;
  }

  async function* events(response: IncomingMessage): AsyncGenerator<Row[]> {
    let rest = '';
    for await (const chunk of response.setEncoding('utf8')) {
      const parts = (rest + (chunk as string)).split('\n\n');
      rest = parts.pop() ?? '';
      for (const part of parts) yield JSON.parse(part.replace('data: ', '')) as Row[];
    }
  }

  it('tells a page all there is, then what changes, and comes to what the input comes to', async () => {
    await write(departures.slice(0, 500));
    const changes = events(await ask('/changes'));
    const states = new Map<string, unknown>();
    const first = (await changes.next()).value as Row[];
    for (const [airport, , state] of first) states.set(airport, state);
    expect(states).toEqual(expected(500).states);
    // Parts of it come again.
    await write(departures.slice(400));
    while (!isDeepStrictEqual(states, expected(600).states)) {
      const changed = (await changes.next()).value as Row[];
      for (const [airport, , state] of changed) states.set(airport, state);
    }
    await changes.return(undefined);
  });

  it('answers nobody who calls it by another name, and names no other place to load from', async () => {
    await write(departures);
    for (const path of ['/', '/changes', '/states', '/board.js']) {
      const refused = await ask(path, 'elsewhere.example');
      expect([path, refused.statusCode, await text(refused)]).toEqual([path, 403, '']);
    }
    const page = await ask('/');
    expect(page.headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
    );
    expect(await text(page)).not.toMatch(/https?:|<script>|style=|onclick/);
    expect((await ask('/nothing')).statusCode).toBe(404);
  });
});
