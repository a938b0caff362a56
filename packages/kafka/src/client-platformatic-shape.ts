/**
 * What the adapter uses of `@platformatic/kafka`, by its shape, so that who does not have it compiles all the same: its
 * connections, and its requests one by one, each in one version that brokers from Kafka 3.1 on know. Its producer and its
 * consumer try again, join again and reset by themselves, and cannot be kept from it.
 */

import type { Socket } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';

type Credential = string | (() => string | Promise<string>);

/** As `@platformatic/kafka` has them. */
export interface PlatformaticSasl {
  mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER';
  username?: Credential;
  password?: Credential;
  token?: Credential;
}

export interface ConnectionSettings {
  connectTimeout: number;
  requestTimeout: number;
  maxInflights: number;
  tls?: TlsOptions;
  tlsServerName?: string;
  sasl?: PlatformaticSasl;
}

export interface Connection {
  readonly socket: Socket | undefined;
  connect(host: string, port: number, callback: (error: Error | null) => void): void;
  close(callback: (error: Error | null) => void): void;
  isConnected(): boolean;
  on(event: 'error' | 'close', listener: () => void): unknown;
  send(
    apiKey: number,
    apiVersion: number,
    createPayload: () => never,
    parse: never,
    ...more: [
      hasTaggedRequest: boolean,
      hasTaggedAnswer: boolean,
      callback: (error: Error | null, answer?: unknown) => void,
    ]
  ): void;
}

export interface Writer {
  /** What connections look at: whether there will be no answer. */
  readonly context: { noResponse?: boolean };
  append(bytes: Buffer): this;
  appendString(value: string | undefined): this;
  appendInt16(value: number): this;
  appendInt32(value: number): this;
  appendUnsignedVarInt(value: number): this;
  appendTaggedFields(): this;
}

interface Request {
  readonly api: ((connection: never, ...args: never[]) => void) & {
    readonly key: number;
    readonly version: number;
  };
}

interface CompressionAlgorithm {
  readonly bitmask: number;
  readonly available?: boolean | undefined;
  readonly compressSync: (bytes: Buffer) => Buffer;
}

/** The module itself: `import * as platformatic from '@platformatic/kafka'`. */
export interface PlatformaticModule {
  readonly Connection: new (clientId: string, settings: ConnectionSettings) => Connection;
  readonly protocolErrorsCodesById: Readonly<Record<number, string>>;
  readonly compressionsAlgorithms: Readonly<Record<string, CompressionAlgorithm>>;
  readonly crc32c: (bytes: Buffer) => number;
  readonly Writer: { create(): Writer };
  readonly apiVersionsV3: Request;
  readonly metadataV12: Request;
  readonly findCoordinatorV4: Request;
  readonly listOffsetsV6: Request;
  readonly offsetFetchV8: Request;
  readonly fetchV13: Request;
  readonly joinGroupV7: Request;
  readonly syncGroupV5: Request;
  readonly heartbeatV4: Request;
  readonly leaveGroupV4: Request;
  readonly offsetCommitV8: Request;
  readonly produceV9: Request & { readonly parseResponse: (...args: never[]) => unknown };
  readonly initProducerIdV4: Request;
  readonly addPartitionsToTxnV3: Request;
  readonly addOffsetsToTxnV3: Request;
  readonly txnOffsetCommitV3: Request;
  readonly endTxnV3: Request;
}
