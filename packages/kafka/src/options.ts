/** How the brokers are reached: types, defaults, checks. No value of them is ever shown: it may be a secret. */

import type { ConnectionOptions as TlsOptions } from 'node:tls';
import {
  type Awaitable,
  checkDuration,
  checkOneOf,
  checkOptions,
  checkText,
  OptionError,
} from '@streamweld/core/connector';
import type { KafkaClient } from './client.ts';

/** A `Kafka` of kafkajs, by its shape. */
export interface KafkajsLike {
  producer(...options: never[]): unknown;
  consumer(...options: never[]): unknown;
  admin(...options: never[]): unknown;
}

/** Who the user is. */
export type SaslOptions =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: string;
    }
  | {
      readonly mechanism: 'oauthbearer';
      /** Called for each connection, and before the token of one ends. */
      readonly token: () => Awaitable<string>;
    };

/** Where the brokers are, or a client that knows: one of the two. */
export interface ReachOptions {
  /** `host:port` of some brokers, as a list or with commas: they know the others. Without a port it is 9092. */
  readonly brokers?: string | readonly string[] | undefined;
  /** TLS: true, or options of `tls.connect`. Default: none. */
  readonly ssl?: boolean | TlsOptions | undefined;
  readonly sasl?: SaslOptions | undefined;
  /** What the brokers call this client in their logs and quotas. Default `streamweld`. */
  readonly clientId?: string | undefined;
  /** How long it may take until a broker has let us in, in milliseconds. Default 15,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long a broker may take for one answer, in milliseconds. Default 30,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** A client of yours instead: a `Kafka` of kafkajs, or whatever is a `KafkaClient`. Its own options count. */
  readonly client?: KafkaClient | KafkajsLike | undefined;
  /** Shown in errors, reports and drawings. Default: `kafka` and the topic. */
  readonly name?: string | undefined;
}

export interface CheckedReach {
  /** Empty where there is a client. */
  readonly brokers: readonly string[];
  readonly ssl: boolean | TlsOptions;
  readonly sasl: SaslOptions | undefined;
  readonly clientId: string;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly client: KafkaClient | KafkajsLike | undefined;
  readonly name: string;
}

export const REACH_OPTIONS = [
  'brokers',
  'ssl',
  'sasl',
  'clientId',
  'connectTimeoutMs',
  'requestTimeoutMs',
  'client',
  'name',
] as const;

/** @param what is read or written: it becomes part of the name. */
export function checkReach(given: ReachOptions, what: string): CheckedReach {
  const { brokers, client, ssl = false, sasl } = given;
  if ((brokers === undefined) === (client === undefined)) {
    throw new OptionError(
      'brokers',
      'a list of host:port, or a client as client: one of the two',
      brokers === undefined ? undefined : 'both',
    );
  }
  if (client !== undefined) {
    checkClient(client);
    if (given.ssl !== undefined || sasl !== undefined || given.clientId !== undefined) {
      throw new OptionError('client', 'given without ssl, sasl and clientId', undefined, 'They are its own.');
    }
  }
  if (typeof ssl !== 'boolean' && (typeof ssl !== 'object' || ssl === null)) {
    // It is not shown: it may be a key.
    throw new OptionError('ssl', 'true, false, or an object of options of tls.connect', typeof ssl);
  }
  return {
    brokers: brokers === undefined ? [] : checkBrokers('brokers', brokers),
    ssl,
    sasl: sasl === undefined ? undefined : checkSasl(sasl),
    clientId: checkText('clientId', given.clientId ?? 'streamweld'),
    connectTimeoutMs: checkTimeout('connectTimeoutMs', given.connectTimeoutMs ?? 15_000),
    requestTimeoutMs: checkTimeout('requestTimeoutMs', given.requestTimeoutMs ?? 30_000),
    client,
    name: checkText('name', given.name ?? `kafka ${what}`),
  };
}

export function checkTimeout(option: string, value: unknown): number {
  const ms = checkDuration(option, value);
  if (ms > 0) return ms;
  throw new OptionError(option, 'a duration above 0 milliseconds', value);
}

function checkClient(client: unknown): void {
  if (isKafkajs(client) || isKafkaClient(client)) return;
  // It is not shown: brokers or a password may have been given in the wrong place.
  throw new OptionError('client', 'a Kafka of kafkajs, or a KafkaClient', typeof client);
}

export function isKafkaClient(client: unknown): client is KafkaClient {
  return hasMethods(client, ['createProducer', 'createConsumer', 'createAdmin']);
}

function isKafkajs(client: unknown): client is KafkajsLike {
  return hasMethods(client, ['producer', 'consumer', 'admin']);
}

function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
}

export function checkBrokers(option: string, given: unknown): readonly string[] {
  const list: readonly unknown[] =
    typeof given === 'string' ? given.split(',') : Array.isArray(given) ? given : [];
  const brokers = list.map((broker) => {
    // It is not shown: a URL may hold a password.
    const found = typeof broker === 'string' ? /^([^\s,:/@[\]]+)(?::(\d{1,5}))?$/.exec(broker.trim()) : null;
    const port = Number(found?.[2] ?? 9092);
    if (found !== null && port > 0 && port <= 65_535) return `${found[1]}:${port}`;
    throw new OptionError(
      option,
      'host:port of each broker',
      undefined,
      'It is no URL, and an address of IPv6 needs a name. What was given is not shown, as it may hold a password.',
    );
  });
  if (brokers.length > 0) return brokers;
  throw new OptionError(option, 'host:port of one broker or more', typeof given);
}

function checkSasl(given: SaslOptions): SaslOptions {
  const { mechanism } = checkOptions<Record<string, unknown>>('sasl', given as never, [
    'mechanism',
    'username',
    'password',
    'token',
  ]);
  checkOneOf('sasl.mechanism', mechanism, ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer']);
  if (given.mechanism === 'oauthbearer') {
    // Its type alone is shown: it may be the token itself.
    if (typeof given.token !== 'function')
      throw new OptionError('sasl.token', 'a function', typeof given.token);
    return { ...given };
  }
  for (const name of ['username', 'password'] as const) {
    // Its type alone is shown.
    if (typeof given[name] !== 'string')
      throw new OptionError(`sasl.${name}`, 'a string', typeof given[name]);
  }
  return { ...given };
}
