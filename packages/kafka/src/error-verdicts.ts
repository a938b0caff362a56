/** What each failure means: by the name that Kafka's protocol gives it, or by what Node and the client say. */

import type { KafkaErrorCode } from './errors.ts';

export interface Verdict {
  readonly code: KafkaErrorCode | 'SW_CHECKPOINT_FENCED';
  readonly isTransient: boolean;
  /** It is the records that are refused. */
  readonly isOfData?: boolean | undefined;
  /** What happened, and what to do now. */
  readonly words: string;
}

const busy = (words: string): Verdict => ({ code: 'SW_KAFKA_BUSY', isTransient: true, words });
const denied = (words: string): Verdict => ({ code: 'SW_KAFKA_DENIED', isTransient: false, words });
const refused = (words: string): Verdict => ({
  code: 'SW_KAFKA_RECORD_INVALID',
  isTransient: false,
  isOfData: true,
  words,
});
const tooLarge = (words: string): Verdict => ({ ...refused(words), code: 'SW_KAFKA_RECORD_TOO_LARGE' });

const MOVING = busy('the partition has no leader here now: it moves, or its broker is down');
const COORDINATOR = busy('the coordinator moves, or is loading');
const REPLICAS = busy(
  'fewer replicas are in sync than the topic asks for (min.insync.replicas). Are brokers down?',
);
const FENCED: Verdict = {
  code: 'SW_CHECKPOINT_FENCED',
  isTransient: false,
  words: 'another has taken over what is written with this transactionalId. End one of the two',
};
const SEQUENCE: Verdict = {
  code: 'SW_KAFKA_SEQUENCE_LOST',
  isTransient: true,
  words: 'the broker does not know what this producer wrote before. Another producer goes on',
};
const TRANSACTION: Verdict = {
  code: 'SW_KAFKA_TRANSACTION_FAILED',
  isTransient: true,
  words: 'the transaction is not open any more. Another producer begins it again',
};

/** By the name of the protocol's error code; other names are as the client judges them. */
export const PROTOCOL: Readonly<Record<string, Verdict>> = {
  UNKNOWN_TOPIC_OR_PARTITION: {
    code: 'SW_KAFKA_TOPIC_UNKNOWN',
    isTransient: true,
    words: 'there is no such topic or partition, or the user may not see it. Create it, or check the name',
  },
  INVALID_TOPIC_EXCEPTION: {
    code: 'SW_KAFKA_TOPIC_UNKNOWN',
    isTransient: false,
    words: 'no topic can have such a name. Check it',
  },
  CORRUPT_MESSAGE: {
    code: 'SW_KAFKA_CONNECTION_LOST',
    isTransient: true,
    words: 'what arrived was damaged on the way',
  },
  LEADER_NOT_AVAILABLE: MOVING,
  NOT_LEADER_FOR_PARTITION: MOVING,
  FENCED_LEADER_EPOCH: MOVING,
  UNKNOWN_LEADER_EPOCH: MOVING,
  REPLICA_NOT_AVAILABLE: MOVING,
  BROKER_NOT_AVAILABLE: MOVING,
  STALE_BROKER_EPOCH: MOVING,
  NOT_CONTROLLER: MOVING,
  REQUEST_TIMED_OUT: busy('the broker did not get it done in its time'),
  NETWORK_EXCEPTION: busy('the broker lost a connection of its own'),
  NOT_ENOUGH_REPLICAS: REPLICAS,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: REPLICAS,
  KAFKA_STORAGE_ERROR: busy('a disk of the broker failed'),
  GROUP_LOAD_IN_PROGRESS: COORDINATOR,
  GROUP_COORDINATOR_NOT_AVAILABLE: COORDINATOR,
  NOT_COORDINATOR_FOR_GROUP: COORDINATOR,
  CONCURRENT_TRANSACTIONS: busy('the transaction before it is still being ended'),
  MESSAGE_TOO_LARGE: tooLarge(
    'the broker takes no batch as large. Raise max.message.bytes of the topic, or take less into a record',
  ),
  RECORD_LIST_TOO_LARGE: tooLarge('the broker takes no batch as large as its log segments'),
  INVALID_TIMESTAMP: refused("a record's timestamp is further away than the topic allows"),
  INVALID_RECORD: refused('the broker refused a record, as one without a key where the topic is compacted'),
  UNSUPPORTED_COMPRESSION_TYPE: {
    code: 'SW_KAFKA_FAILED',
    isTransient: false,
    words: 'the broker does not know the compression',
  },
  INVALID_REQUIRED_ACKS: {
    code: 'SW_KAFKA_FAILED',
    isTransient: false,
    words: 'the broker does not know such acks',
  },
  TOPIC_AUTHORIZATION_FAILED: denied('the user may not use the topic. Allow it by an ACL'),
  GROUP_AUTHORIZATION_FAILED: denied('the user may not use the group. Allow it by an ACL'),
  CLUSTER_AUTHORIZATION_FAILED: denied(
    'the user may not do that in this cluster. Allow it by an ACL: whoever writes idempotently needs WRITE on a topic at least',
  ),
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: denied(
    'the user may not use this transactionalId. Allow it by an ACL for the prefix',
  ),
  SASL_AUTHENTICATION_FAILED: denied('user and password, or token, were refused. Check sasl'),
  UNSUPPORTED_SASL_MECHANISM: denied('the broker does not know this mechanism of SASL. Check sasl.mechanism'),
  ILLEGAL_SASL_STATE: denied('the broker wants another way to prove who the user is. Check sasl'),
  SECURITY_DISABLED: denied('the broker has no authorization to ask'),
  OUT_OF_ORDER_SEQUENCE_NUMBER: SEQUENCE,
  UNKNOWN_PRODUCER_ID: SEQUENCE,
  INVALID_PRODUCER_ID_MAPPING: SEQUENCE,
  INVALID_PRODUCER_EPOCH: FENCED,
  PRODUCER_FENCED: FENCED,
  TRANSACTION_COORDINATOR_FENCED: COORDINATOR,
  INVALID_TXN_STATE: TRANSACTION,
  INVALID_SESSION_TIMEOUT: {
    code: 'SW_KAFKA_FAILED',
    isTransient: false,
    words:
      'the brokers allow no such session. Give a sessionTimeoutMs between their group.min.session.timeout.ms and group.max.session.timeout.ms, 6 seconds and 30 minutes if nobody changed them',
  },
  INVALID_TRANSACTION_TIMEOUT: {
    code: 'SW_KAFKA_TRANSACTION_FAILED',
    isTransient: false,
    words: 'the brokers allow no transaction to take so long. Give a shorter transactionTimeoutMs',
  },
};

interface NetworkVerdict extends Verdict {
  readonly tellsCause?: boolean | undefined;
  readonly fits: (name: string, code: string, message: string) => boolean;
}

function unreachable(errno: string, words: string): NetworkVerdict {
  return {
    code: 'SW_KAFKA_UNREACHABLE',
    isTransient: true,
    tellsCause: true,
    words,
    fits: (_, code) => code === errno,
  };
}

const UNKNOWN_AUTHORITY =
  "the broker's certificate comes from no authority that is trusted here. Give the authority's certificate as ssl.ca, as PEM and not as a path";

/** What keeps a TLS connection from being made; none of it passes by being tried again. By the code that Node gives, or by what is said. */
const TLS: readonly (readonly [RegExp, string])[] = [
  [
    /DEPTH_ZERO_SELF_SIGNED_CERT/,
    'the broker signed its certificate itself. Give that certificate as ssl.ca, as PEM and not as a path',
  ],
  [/SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(GET_ISSUER|VERIFY)/, UNKNOWN_AUTHORITY],
  [
    /ERR_TLS_CERT_ALTNAME_INVALID/,
    "the broker's certificate is for another host. Connect by a name that is in it, or give the name as ssl.servername",
  ],
  [/CERT_HAS_EXPIRED/, "the broker's certificate, or one behind it, has expired"],
  [/CERT_NOT_YET_VALID/, "the broker's certificate is not valid yet. Check the clocks here and there"],
  [
    /WRONG[ _]VERSION[ _]NUMBER|packet length too long/i,
    'what listens there does not speak TLS. Leave ssl away, or take the port that does',
  ],
  [
    /alert[ _]/i,
    'the broker does not take the certificate of this client, or wants one. Check ssl.cert and ssl.key',
  ],
  [
    /ERR_OSSL_|PEM|asn1|(DECODER|X509)[\w ]* routines/i,
    'ssl.ca, ssl.cert or ssl.key is no PEM, needs a passphrase, or they do not belong together',
  ],
  [/ERR_SSL_|ERR_TLS_/, 'TLS could not be agreed on. Check ssl'],
];

/** In the order in which they are asked. */
export const NETWORK: readonly NetworkVerdict[] = [
  {
    // Whoever speaks no TLS hangs up; so does one that is stopped just then.
    code: 'SW_KAFKA_CONNECTION_LOST',
    isTransient: true,
    words:
      'the connection ended before TLS was agreed on. If that is so from the start: does what listens there speak TLS? Else leave ssl away, or take the port that does',
    fits: (_, __, message) => /before secure TLS connection/.test(message),
  },
  ...TLS.map(
    ([pattern, words]): NetworkVerdict => ({
      ...denied(words),
      fits: (_, code, message) => pattern.test(`${code} ${message}`),
    }),
  ),
  unreachable('ECONNREFUSED', 'nothing listens there. Is the broker running, and the port right?'),
  unreachable('ENOTFOUND', 'the host name is not known. Check brokers'),
  unreachable('EAI_AGAIN', 'the host name could not be looked up now'),
  unreachable('EHOSTUNREACH', 'there is no way to the host'),
  unreachable('ENETUNREACH', 'there is no way to the network of the host'),
  unreachable('ETIMEDOUT', 'the host did not answer in time'),
  {
    ...denied('user and password, or token, were refused, or the mechanism is not offered. Check sasl'),
    fits: (name) => name === 'KafkaJSSASLAuthenticationError',
  },
  {
    code: 'SW_KAFKA_COMPRESSION_MISSING',
    isTransient: false,
    words: 'the client has no codec for a compression. Install its package',
    fits: (name, code, message) =>
      code === 'PLT_KFK_UNSUPPORTED_COMPRESSION' ||
      (name === 'KafkaJSNotImplemented' && /compression/i.test(message)),
  },
  {
    code: 'SW_KAFKA_CONNECTION_LOST',
    isTransient: true,
    tellsCause: true,
    words: 'the connection ended',
    fits: (_, code) => ['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_DESTROYED'].includes(code),
  },
  {
    code: 'SW_KAFKA_CONNECTION_LOST',
    isTransient: true,
    words: 'the broker ended the connection. If that is so from the start: does it want TLS or SASL?',
    fits: (name, _, message) =>
      name === 'KafkaJSConnectionClosedError' ||
      /closed connection|connection closed|not connected|disconnected/i.test(message),
  },
  {
    code: 'SW_KAFKA_CONNECTION_LOST',
    isTransient: true,
    words: 'the broker did not answer in time',
    fits: (name) => ['KafkaJSRequestTimeoutError', 'KafkaJSLockTimeout', 'DeadlinePassed'].includes(name),
  },
  {
    code: 'SW_KAFKA_UNREACHABLE',
    isTransient: true,
    words: 'no broker answered in time. Are they running, and brokers right?',
    fits: (name) =>
      ['KafkaJSConnectionError', 'KafkaJSBrokerNotFound', 'KafkaJSNoBrokerAvailableError'].includes(name),
  },
  {
    // kafkajs keeps to itself why.
    ...busy(
      'no broker said which of them looks after the group, or the transactionalId. Are brokers down, or may the user not use it (an ACL for READ on the group, for WRITE on the transactionalId)?',
    ),
    fits: (name) => /GroupCoordinatorNotFound/.test(name),
  },
  {
    ...busy('what is known of the topic is not up to date'),
    fits: (name) => /MetadataNotLoaded|StaleTopicMetadata/.test(name),
  },
];
