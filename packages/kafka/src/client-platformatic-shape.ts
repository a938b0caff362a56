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
}

interface Request {
  readonly api: ((connection: never, ...args: never[]) => void) & {
    readonly key: number;
    readonly version: number;
  };
}

/** The module itself: `import * as platformatic from '@platformatic/kafka'`. */
export interface PlatformaticModule {
  readonly Connection: new (clientId: string, settings: ConnectionSettings) => Connection;
  readonly protocolErrorsCodesById: Readonly<Record<number, string>>;
  readonly compressionsAlgorithms: Readonly<Record<string, { readonly available?: boolean | undefined }>>;
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
  readonly produceV9: Request;
  readonly initProducerIdV4: Request;
  readonly addPartitionsToTxnV3: Request;
  readonly addOffsetsToTxnV3: Request;
  readonly txnOffsetCommitV3: Request;
  readonly endTxnV3: Request;
}

interface ErrorCode {
  readonly errorCode: number;
}

export interface FetchedBatch {
  readonly firstOffset: bigint;
  readonly attributes: number;
  readonly lastOffsetDelta: number;
  readonly firstTimestamp: bigint;
  readonly maxTimestamp: bigint;
  readonly producerId: bigint;
  readonly records: readonly {
    readonly timestampDelta: bigint;
    readonly offsetDelta: number;
    readonly key: Buffer | null;
    readonly value: Buffer | null;
    readonly headers: readonly (readonly [Buffer, Buffer | null])[];
  }[];
}

export interface FetchedPartition extends ErrorCode {
  readonly partitionIndex: number;
  readonly highWatermark: bigint;
  readonly abortedTransactions: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[];
  readonly records?: readonly FetchedBatch[];
}

/** A record as it is written. Of one header name there may be several, which a Map cannot tell: of it size and order are used. */
export interface OutgoingMessage {
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: { readonly size: number; [Symbol.iterator](): Iterator<readonly [Buffer, Buffer]> };
  timestamp: bigint;
}

/** Of topics, with partitions each. */
type Of<P> = readonly { readonly name: string; readonly partitions: readonly P[] }[];

type Committing = Of<{
  readonly partitionIndex: number;
  readonly committedOffset: bigint;
  readonly committedLeaderEpoch: number;
  readonly committedMetadata: string | null;
}>;

/** What each request takes and answers. */
export interface Requests {
  apiVersionsV3: {
    args: [name: string, version: string];
    answer: {
      readonly apiKeys: readonly {
        readonly apiKey: number;
        readonly minVersion: number;
        readonly maxVersion: number;
      }[];
    };
  };
  metadataV12: {
    args: [topics: readonly string[] | null, allowAutoTopicCreation: boolean];
    answer: {
      readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
      readonly topics: readonly (ErrorCode & {
        readonly name: string | null;
        readonly topicId: string;
        readonly partitions: readonly { readonly partitionIndex: number; readonly leaderId: number }[];
      })[];
    };
  };
  findCoordinatorV4: {
    args: [keyType: number, keys: readonly string[]];
    answer: { readonly coordinators: readonly { readonly host: string; readonly port: number }[] };
  };
  listOffsetsV6: {
    args: [
      replica: number,
      isolation: number,
      topics: Of<{
        readonly partitionIndex: number;
        readonly currentLeaderEpoch: number;
        readonly timestamp: bigint;
      }>,
    ];
    answer: { readonly topics: Of<{ readonly partitionIndex: number; readonly offset: bigint }> };
  };
  offsetFetchV8: {
    args: [
      groups: readonly {
        readonly groupId: string;
        readonly topics: readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[];
      }[],
      requireStable: boolean,
    ];
    answer: {
      readonly groups: readonly {
        readonly topics: Of<{ readonly partitionIndex: number; readonly committedOffset: bigint }>;
      }[];
    };
  };
  fetchV13: {
    args: [
      maxWaitMs: number,
      minBytes: number,
      maxBytes: number,
      isolation: number,
      sessionId: number,
      sessionEpoch: number,
      topics: readonly {
        readonly topicId: string;
        readonly partitions: readonly {
          readonly partition: number;
          readonly currentLeaderEpoch: number;
          readonly fetchOffset: bigint;
          readonly lastFetchedEpoch: number;
          readonly partitionMaxBytes: number;
        }[];
      }[],
      forgotten: readonly never[],
      rack: string,
    ];
    answer: ErrorCode & {
      readonly responses: readonly {
        readonly topicId: string;
        readonly partitions: readonly FetchedPartition[];
      }[];
    };
  };
  joinGroupV7: {
    args: [
      groupId: string,
      sessionMs: number,
      rebalanceMs: number,
      memberId: string,
      instance: null,
      type: string,
      protocols: readonly { readonly name: string; readonly metadata: Buffer }[],
      reason: string,
    ];
    answer: {
      readonly generationId: number;
      readonly leader: string;
      readonly memberId: string | null;
      readonly protocolName: string | null;
      readonly members: readonly { readonly memberId: string; readonly metadata: Buffer | null }[];
    };
  };
  syncGroupV5: {
    args: [
      groupId: string,
      generation: number,
      memberId: string,
      instance: null,
      type: string,
      protocol: string,
      assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
    ];
    answer: { readonly assignment: Buffer };
  };
  heartbeatV4: {
    args: [groupId: string, generation: number, memberId: string, instance: null];
    answer: unknown;
  };
  leaveGroupV4: {
    args: [groupId: string, members: readonly { readonly memberId: string }[]];
    answer: unknown;
  };
  offsetCommitV8: {
    args: [groupId: string, generation: number, memberId: string, instance: null, topics: Committing];
    answer: unknown;
  };
  produceV9: {
    args: [
      acks: number,
      timeoutMs: number,
      messages: readonly OutgoingMessage[],
      options: {
        readonly compression: string;
        readonly transactionalId: string | undefined;
        readonly producerId: bigint;
        readonly producerEpoch: number;
        readonly sequences: { getWithDefault(place: string): number } | undefined;
      },
    ];
    answer:
      | boolean
      | {
          readonly responses: readonly {
            readonly name: string;
            readonly partitionResponses: readonly (ErrorCode & { readonly index: number })[];
          }[];
        };
  };
  initProducerIdV4: {
    args: [transactionalId: string | undefined, timeoutMs: number, producerId: bigint, epoch: number];
    answer: { readonly producerId: bigint; readonly producerEpoch: number };
  };
  addPartitionsToTxnV3: {
    args: [
      transactions: readonly {
        readonly transactionalId: string;
        readonly producerId: bigint;
        readonly producerEpoch: number;
        readonly topics: readonly { readonly name: string; readonly partitions: readonly number[] }[];
      }[],
    ];
    answer: unknown;
  };
  addOffsetsToTxnV3: {
    args: [transactionalId: string, producerId: bigint, epoch: number, groupId: string];
    answer: unknown;
  };
  txnOffsetCommitV3: {
    args: [
      transactionalId: string,
      groupId: string,
      producerId: bigint,
      epoch: number,
      generation: number,
      memberId: string,
      instance: null,
      topics: Committing,
    ];
    answer: unknown;
  };
  endTxnV3: {
    args: [transactionalId: string, producerId: bigint, epoch: number, isCommit: boolean];
    answer: unknown;
  };
}

export type RequestName = keyof Requests;
