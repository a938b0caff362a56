/** What each request of `@platformatic/kafka` that the adapter uses takes and answers. */

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
    readonly headers: readonly (readonly [Buffer | null, Buffer | null])[];
  }[];
}

export interface FetchedPartition extends ErrorCode {
  readonly partitionIndex: number;
  readonly highWatermark: bigint;
  readonly abortedTransactions: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[];
  readonly records?: readonly FetchedBatch[];
}

/** A batch as `record-batch.ts` makes it. */
export interface EncodedBatch {
  readonly topic: string;
  readonly partition: number;
  readonly bytes: Buffer;
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
        readonly name?: string | null | undefined;
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
        readonly memberEpoch: number;
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
      readonly memberId: string | null | undefined;
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
      transactionalId: string | undefined,
      batches: readonly EncodedBatch[],
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
        readonly verifyOnly: boolean;
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
