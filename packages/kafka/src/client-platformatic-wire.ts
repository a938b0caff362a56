/**
 * The connections of one client of `@platformatic/kafka`, and requests over them. What its connections do and must not, or
 * do not and must, is put right here:
 *
 *  - P1 An answer that comes after its time is left in the buffer, and what comes behind it is read from the wrong place. So the
 *    time is kept here, and a connection that missed it is cut.
 *  - P2 One that fails emits `error`, and with nobody to listen the process ends. Here somebody always listens.
 *  - P3 It tells a TLS server no name unless it is asked to. Here it does.
 *  - P4 It reads tagged fields as if there were none. So the versions of requests are those whose answers have none.
 */

import net from 'node:net';
import { Deferred } from '@streamweld/core/connector';
import { foreignError, timedOut } from './client-platformatic-errors.ts';
import { produce } from './client-platformatic-produce.ts';
import type { RequestName, Requests } from './client-platformatic-requests.ts';
import type {
  Connection,
  ConnectionSettings,
  PlatformaticModule,
  PlatformaticSasl,
} from './client-platformatic-shape.ts';
import { within } from './deadline.ts';
import { KafkaError } from './errors.ts';

/** Of its own time for a request, which never comes. */
const NEVER_MS = 2 ** 31 - 1;

/** Beyond what it gives itself to connect. */
const GRACE_MS = 1000;

/** Idle connections say so often that they live. */
const KEEP_ALIVE_MS = 60_000;

/** A connection that cannot be made is given up after so long. */
const MOST_CONNECT_MS = 10_000;

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface WireOptions {
  readonly module: PlatformaticModule;
  readonly bootstrap: readonly Address[];
  readonly clientId: string;
  readonly tls: ConnectionSettings['tls'] | undefined;
  readonly sasl: PlatformaticSasl | undefined;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly name: string;
}

/** What waits on one of them does not hold up the others. */
export type Line = 'main' | 'fetch' | 'leave';

interface AskOptions {
  readonly line?: Line | undefined;
  readonly ms?: number | undefined;
}

export class Wire {
  readonly options: WireOptions;
  readonly #connections = new Map<string, Promise<Connection>>();
  readonly #open = new Set<Connection>();
  /** Brokers that were heard of. */
  readonly #known = new Map<string, Address>();
  #isChecked = false;
  #isCut = false;

  constructor(options: WireOptions) {
    this.options = options;
  }

  /** @throws what the client or the broker said, as `error-verdicts.ts` knows it */
  async ask<N extends RequestName>(
    at: Address,
    name: N,
    args: Requests[N]['args'],
    { line = 'main', ms = this.options.requestTimeoutMs }: AskOptions = {},
  ): Promise<Requests[N]['answer']> {
    const connection = await this.#connect(at, line);
    const answer = new Deferred<Requests[N]['answer']>();
    const answered = (error: Error | null, value?: unknown): void => {
      if (error) answer.reject(foreignError(error));
      else answer.resolve(value as Requests[N]['answer']);
    };
    const { module } = this.options;
    try {
      if (name === 'produceV9') produce(module, connection, args as Requests['produceV9']['args'], answered);
      else requestOf(module, name)(connection, ...args, answered);
      return await within(ms, answer.promise);
    } catch (error) {
      const failure = foreignError(error);
      // What a broker refused came over it in order.
      if (!isRefused(failure)) this.#drop(connection, at, line);
      throw failure;
    }
  }

  /** Of any broker: first of those that are connected. */
  async askAny<N extends RequestName>(name: N, args: Requests[N]['args']): Promise<Requests[N]['answer']> {
    let last: unknown;
    const connected = [...this.#known.values()].filter((at) => this.#connections.has(keyOf(at, 'main')));
    const tried = new Set<string>();
    for (const at of [...connected, ...this.options.bootstrap, ...this.#known.values()]) {
      if (tried.has(keyOf(at, 'main'))) continue;
      tried.add(keyOf(at, 'main'));
      try {
        return await this.ask(at, name, args);
      } catch (error) {
        // What one of them has answered the others would answer too.
        if (isRefused(error)) throw error;
        last = error;
      }
    }
    throw last;
  }

  hearOf(at: Address): void {
    this.#known.set(keyOf(at, 'main'), at);
  }

  /** What goes on fails, and nothing is begun any more. */
  cut(): void {
    this.#isCut = true;
    this.#connections.clear();
    for (const connection of this.#open) destroy(connection);
  }

  #drop(connection: Connection, at: Address, line: Line): void {
    this.#connections.delete(keyOf(at, line));
    destroy(connection);
  }

  async #connect(at: Address, line: Line): Promise<Connection> {
    if (this.#isCut) throw new Error('Not connected: the client was given up.');
    const key = keyOf(at, line);
    const known = this.#connections.get(key);
    if (known !== undefined) return known;
    const forget = (): void => {
      if (this.#connections.get(key) === making) this.#connections.delete(key);
    };
    const making = this.#make(at, () => forget());
    this.#connections.set(key, making);
    making.catch(forget);
    return making;
  }

  async #make(at: Address, onClose: () => void): Promise<Connection> {
    const { module, clientId, tls, sasl, connectTimeoutMs } = this.options;
    const isNamed = tls?.servername !== undefined || net.isIP(at.host) !== 0;
    const ms = Math.min(connectTimeoutMs, MOST_CONNECT_MS);
    const connection = new module.Connection(clientId, {
      connectTimeout: ms,
      requestTimeout: NEVER_MS,
      maxInflights: 16,
      ...(tls === undefined ? undefined : { tls, ...(isNamed ? undefined : { tlsServerName: at.host }) }),
      ...(sasl === undefined ? undefined : { sasl }),
    });
    this.#open.add(connection);
    connection.on('error', () => {});
    connection.on('close', () => {
      this.#open.delete(connection);
      onClose();
    });
    const connected = new Deferred();
    try {
      connection.connect(at.host, at.port, (error) => {
        if (error) connected.reject(error);
        else connected.resolve();
      });
      connection.socket?.setKeepAlive(true, KEEP_ALIVE_MS);
      // Its own time ends before this one.
      await within(ms + GRACE_MS, connected.promise);
      if (this.#isCut) throw new Error('Not connected: the client was given up.');
      await this.#check(connection, at);
      return connection;
    } catch (error) {
      destroy(connection);
      this.#open.delete(connection);
      throw timedOut(error) ?? foreignError(error);
    }
  }

  /** Whether the brokers know what is asked of them: one that does not would end the connection without a word. */
  async #check(connection: Connection, { host, port }: Address): Promise<void> {
    if (this.#isChecked) return;
    const { module, requestTimeoutMs, name } = this.options;
    const answer = new Deferred<Requests['apiVersionsV3']['answer']>();
    requestOf(module, 'apiVersionsV3')(connection, 'streamweld', '1', (error: Error | null, value: never) => {
      if (error) answer.reject(error);
      else answer.resolve(value);
    });
    const { apiKeys } = await within(requestTimeoutMs, answer.promise);
    for (const request of REQUESTS) {
      const { key, version } = module[request].api;
      const range = apiKeys.find(({ apiKey }) => apiKey === key);
      if (range !== undefined && range.minVersion <= version && version <= range.maxVersion) continue;
      throw new KafkaError(
        'SW_KAFKA_FAILED',
        `The broker at ${host}:${port} does not know ${request}, which this client needs. Kafka 3.1 and later do.`,
        { stage: name },
      );
    }
    this.#isChecked = true;
  }
}

const REQUESTS: readonly RequestName[] = [
  'metadataV12',
  'findCoordinatorV4',
  'listOffsetsV6',
  'offsetFetchV8',
  'fetchV13',
  'joinGroupV7',
  'syncGroupV5',
  'heartbeatV4',
  'leaveGroupV4',
  'offsetCommitV8',
  'produceV9',
  'initProducerIdV4',
  'addPartitionsToTxnV3',
  'addOffsetsToTxnV3',
  'txnOffsetCommitV3',
  'endTxnV3',
];

function requestOf(module: PlatformaticModule, name: RequestName): (...args: readonly unknown[]) => void {
  return module[name].api as unknown as (...args: readonly unknown[]) => void;
}

function isRefused(error: unknown): boolean {
  return typeof (error as { type?: unknown } | null)?.type === 'string';
}

function keyOf({ host, port }: Address, line: Line): string {
  return `${line} ${host}:${port}`;
}

/** With an error: without one what waits for it would not notice. */
function destroy(connection: Connection): void {
  connection.close(() => {});
  connection.socket?.destroy(new Error('Not connected: the connection was cut.'));
}
