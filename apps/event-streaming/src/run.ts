/** One run: the services are started, the input is sent, one of them is killed, and what came of it is put to the test. */

import type { GracefulShutdown } from '@streamweld/core';
import type { RunArguments } from './arguments.ts';
import type { ChosenCache } from './chosen-cache.ts';
import { Crew, type Service } from './crew.ts';
import type { Database } from './database.ts';
import { readDepartures } from './departures.ts';
import { expected } from './expected.ts';
import { Following } from './following.ts';
import type { Hub } from './hub.ts';
import { whole } from '@streamweld/app-kit/numbers';
import { departuresDispatcher, feeding } from './pipeline.ts';
import { prove } from './proof.ts';
import { answerLines, checkLines, inputLines, serviceLines } from './report.ts';
import { ROLES } from './roles.ts';
import { untilAborted } from './until-aborted.ts';
import { watching } from './watching.ts';

export interface Stage {
  readonly hub: Hub;
  readonly database: Database;
  readonly chosen: ChosenCache;
  readonly shutdown: GracefulShutdown;
  /** Lines of the report. */
  readonly print: (lines: readonly string[]) => void;
  /** What happens meanwhile. */
  readonly say: (line: string) => void;
}

/** @returns whether all that must hold does. */
export async function run(given: RunArguments, stage: Stage): Promise<boolean> {
  const { hub, database, chosen, shutdown, print, say } = stage;
  const departures = readDepartures(given.events);
  using following = new Following(departures.length);
  let killed: Service | undefined;
  let boardUrl = '';
  const crew = new Crew(
    { hub, postgres: database.url, cache: chosen.address, inspect: given.inspect },
    {
      did({ role, name }, ids, at) {
        following.note(role, name, ids, at);
        const { done } = following.ledgers[role];
        if (role !== given.kill || killed !== undefined || done <= departures.length / 3) return;
        killed = crew.kill(role);
        if (killed !== undefined)
          say(`kill -9 of ${killed.name}, process ${killed.pid}, behind ${whole(done)} departures`);
      },
      page(what, url) {
        if (what === 'board') boardUrl = url;
        say(what === 'board' ? `Live board: ${url}` : `Look at ${url}`);
      },
      say,
      lost: (role) => following.lose(role),
    },
  );
  try {
    await untilAborted(startAll(crew, given.enrichers), shutdown.signal);
    const pipeline = feeding(departures, given.rate, departuresDispatcher(hub));
    await using _shown = await watching(pipeline, following, given);
    const report = await shutdown.run(pipeline);
    following.sent(report.written);
    await untilAborted(following.over, shutdown.signal);
    print(['', ...inputLines(report), '', ...serviceLines(crew.services, following.ledgers, killed)]);
    const sent = departures.slice(0, report.written);
    const { cache } = chosen;
    const checks = await prove({
      sent,
      services: crew.services,
      killed,
      following,
      database,
      cache,
      boardUrl,
    });
    print(['', ...checkLines(checks), '', ...answerLines(expected(sent.length).states)]);
    if (given.stay && !shutdown.isWanted) {
      say(`The board stays until a Ctrl-C: ${boardUrl}`);
      await untilStopped(shutdown);
    }
    return checks.every(({ holds }) => holds);
  } finally {
    if (shutdown.signal.aborted) crew.abort();
    await crew.stop();
  }
}

async function startAll(crew: Crew, enrichers: number): Promise<void> {
  const roles = ROLES.flatMap((role) =>
    Array.from({ length: role === 'enricher' ? enrichers : 1 }, () => role),
  );
  await Promise.all(roles.map((role) => crew.start(role)));
}

function untilStopped(shutdown: GracefulShutdown): Promise<void> {
  let leave: () => void = () => {};
  const left = new Promise<void>((resolve) => (leave = resolve));
  // Nothing else keeps the process alive.
  const awake = setInterval(() => {}, 60_000);
  const drain = (): Promise<void> => Promise.resolve(leave());
  return shutdown.while({ drain }, () => left).finally(() => clearInterval(awake));
}
