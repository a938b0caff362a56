/**
 * What can go wrong with Redis, as errors of StreamWeld: one table of codes, and one place that turns what the server or the
 * client said into a code.
 *
 * The server may quote what it was sent (`unknown command 'XADD', with args beginning with: …`). So its own words are neither
 * our message nor our cause; the word it begins with (`OOM`, `WRONGTYPE`) is, as `details.reply`.
 */

import { isStreamWeldError, StreamWeldError } from '@streamweld/core/connector';

/** The one table of codes of this package; the README says what to do about each. */
export const REDIS_ERROR_CODES = {
  REDIS_UNREACHABLE: 'No connection to the server could be made.',
  REDIS_DENIED: 'The server refused the user, or what the user wanted to do.',
  REDIS_CONNECTION_LOST: 'A connection ended while it was in use.',
  REDIS_BUSY: 'The server could not do it now, and may be able to later.',
  REDIS_KEY_WRONG: 'The key of a stream, or of its positions, holds something else.',
  REDIS_CLUSTER_REFUSED: 'The server is of a cluster, and the key is not where it was asked for.',
  REDIS_STREAM_GONE: 'A stream that was read is not there any more, or was made anew.',
  REDIS_STREAM_TRIMMED: 'Entries were trimmed off a stream before they were read.',
  REDIS_POSITION_INVALID: 'What is to be resumed from is no position of this stream.',
  REDIS_WRITES_LOST: 'The server no longer has what it had answered.',
  REDIS_ITEM_INVALID: 'An item cannot be an entry of a stream.',
  REDIS_FAILED: 'The server failed in a way that has no code of its own here.',
} as const;

export type RedisErrorCode = keyof typeof REDIS_ERROR_CODES;

/** A failure that Redis, or the way there, is the cause of. */
export class RedisError extends StreamWeldError {
  override readonly name: string = 'RedisError';
  /** Whether the same again may succeed. It is not called `retryable`: that would blame the items of a write. */
  readonly isTransient: boolean;

  constructor(
    code: RedisErrorCode,
    message: string,
    details: { readonly stage: string; readonly isTransient?: boolean; readonly reply?: string | undefined },
  ) {
    const { stage, isTransient, reply } = details;
    super(code, message, { stage, details: reply === undefined ? undefined : { reply } });
    this.isTransient = isTransient ?? false;
  }
}

interface Verdict {
  readonly code: RedisErrorCode;
  readonly isTransient: boolean;
  /** What happened, and what to do now. */
  readonly words: string;
}

const busy = (words: string): Verdict => ({ code: 'REDIS_BUSY', isTransient: true, words });
const denied = (words: string): Verdict => ({ code: 'REDIS_DENIED', isTransient: false, words });
const ofCluster: Verdict = {
  code: 'REDIS_CLUSTER_REFUSED',
  isTransient: false,
  words:
    'the keys are on another node of a cluster, or on two. Give both keys one {hash tag}, and the node that has it',
};

/** By the word that a refusal begins with. */
const REPLIES: Readonly<Record<string, Verdict>> = {
  LOADING: busy('the server is still loading its data'),
  OOM: busy('the server has used all the memory it may (maxmemory). Trim streams (maxLength), or raise it'),
  READONLY: busy('the server is a replica now, and takes no writes. Connect to the primary'),
  MISCONF: busy('the server cannot save to its disk, and takes no writes until it can'),
  MASTERDOWN: busy('the server is a replica that has lost its primary'),
  NOREPLICAS: busy('the server has fewer replicas than it is to have (min-replicas-to-write)'),
  BUSY: busy('the server is held up by a script of somebody'),
  TRYAGAIN: busy('the server is moving the key to another node'),
  CLUSTERDOWN: busy('the cluster is down'),
  WRONGPASS: denied('the user or the password is wrong. Check both'),
  NOAUTH: denied('the server asks for a password, and was given none. Give it one in the connection'),
  NOPERM: denied('the user may not do this. Allow it the commands and keys that the README lists'),
  WRONGTYPE: {
    code: 'REDIS_KEY_WRONG',
    isTransient: false,
    words: 'the key holds something else. Check its name, or give another',
  },
  CROSSSLOT: ofCluster,
  MOVED: ofCluster,
  ASK: ofCluster,
};

/** What Node says when there is no way to the server. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there. Is the server running, and the port right?',
  ENOTFOUND: 'the host name is not known. Check it',
  EAI_AGAIN: 'the host name could not be looked up now',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the network of the host',
  ETIMEDOUT: 'the host did not answer in time',
  ConnectionTimeoutError: 'the host did not answer in time (connectTimeoutMs)',
};

/** What the client says where a connection ended: by Node's code, or by the name of its own errors. */
const LOST = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_DESTROYED']);
const LOST_NAMES = /^(SocketClosedUnexpectedly|ClientClosed|ClientOffline|DisconnectsClient|SocketTimeout)/;
const LOST_WORDS = /connection is closed|socket closed/i;

/** What the server or the client threw, as an error of ours. `action` is for the sentence `Could not …`. */
export function toRedisError(error: unknown, action: string, stage: string): StreamWeldError {
  if (isStreamWeldError(error)) return error;
  const { code, isTransient, words } = judge(error);
  return new RedisError(code, `Could not ${action}: ${words}.`, {
    stage,
    isTransient,
    reply: replyOf(error),
  });
}

/** The word that a refusal of the server begins with. */
export function replyOf(error: unknown): string | undefined {
  return error instanceof Error ? /^([A-Z]{3,}) /.exec(error.message)?.[1] : undefined;
}

function judge(error: unknown): Verdict {
  const thrown = error as {
    readonly code?: unknown;
    readonly constructor?: { readonly name?: string };
  } | null;
  const name = thrown?.constructor?.name ?? '';
  const system = typeof thrown?.code === 'string' ? thrown.code : name;
  const reach = UNREACHABLE[system];
  if (reach !== undefined) return { code: 'REDIS_UNREACHABLE', isTransient: true, words: reach };
  const message = error instanceof Error ? error.message : '';
  if (LOST.has(system) || LOST_NAMES.test(name) || LOST_WORDS.test(message)) {
    return { code: 'REDIS_CONNECTION_LOST', isTransient: true, words: 'the connection was lost' };
  }
  if (message === 'ERR no such key') {
    return { code: 'REDIS_STREAM_GONE', isTransient: false, words: 'the stream is not there. Check its key' };
  }
  const reply = replyOf(error);
  const known = reply === undefined ? undefined : REPLIES[reply];
  if (known !== undefined) return known;
  return {
    code: 'REDIS_FAILED',
    isTransient: false,
    words: `the server refused it${reply === undefined ? '' : ` (${reply})`}. Is it Redis 7 or newer, or Valkey? Its log may say more`,
  };
}

/** Whether the same again may succeed. */
export function isTransient(error: unknown): boolean {
  return error instanceof RedisError && error.isTransient;
}
