/** Entries, ids and positions: what the server answers, as values. Knows no connection. */

/** One entry of a stream. Of a field that comes twice in it, the last value. */
export interface RedisEntry {
  /** `<milliseconds>-<number>`, as the server gave it. */
  readonly id: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Behind which entry to go on. */
export interface RedisPosition {
  readonly id: string;
  /** Which entry it was, counted from the first that was ever added: 1. `null` where the server could not tell. */
  readonly index: number | null;
}

/** What `XINFO STREAM` tells. */
export interface StreamInfo {
  readonly length: number;
  /** The id of the first entry that is there. */
  readonly firstId: string | undefined;
  /** The id of the last entry that was ever added; `0-0` where there was none. */
  readonly lastId: string;
  /** Of the entries that were removed one by one (`XDEL`), the furthest. */
  readonly deletedId: string;
  /** How many were ever added. Redis before 7 does not tell. */
  readonly added: number | undefined;
}

/** @throws TypeError where it is no answer to XRANGE or XREAD. */
export function toEntries(reply: unknown): RedisEntry[] {
  return (reply as [string, string[]][]).map(([id, flat]) => ({ id: String(id), fields: toRecord(flat) }));
}

/** Pairs in a row (RESP2), or what a client makes of a map (RESP3). */
function toRecord<V>(reply: unknown): Record<string, V> {
  if (reply instanceof Map) return Object.fromEntries(reply) as Record<string, V>;
  if (!Array.isArray(reply)) return { ...(reply as Record<string, V>) };
  const pairs: [string, V][] = [];
  for (let at = 0; at + 1 < reply.length; at += 2) pairs.push([String(reply[at]), reply[at + 1] as V]);
  return Object.fromEntries(pairs);
}

export function toStreamInfo(reply: unknown): StreamInfo {
  const told = toRecord<string | number | [string, unknown] | null>(reply);
  const first = told['first-entry'] as [string, unknown] | null | undefined;
  const added = told['entries-added'];
  return {
    length: Number(told['length']),
    firstId: first?.[0] === undefined ? undefined : String(first[0]),
    lastId: told['last-generated-id'] as string,
    deletedId: (told['max-deleted-entry-id'] as string | undefined) ?? '0-0',
    added: added === undefined ? undefined : Number(added),
  };
}

/** Which entry the first one is that is there, counted from the first ever; `null` where that cannot be told. */
export function indexOfFirst({ added, length, firstId, deletedId }: StreamInfo): number | null {
  // Trimming takes from the front; a hole behind the first entry makes the count wrong.
  if (added === undefined || (firstId !== undefined && compareIds(deletedId, firstId) >= 0)) return null;
  return added - length + 1;
}

/** Negative where `a` lies before `b`. */
export function compareIds(a: string, b: string): number {
  const [aMs = '0', aNumber = '0'] = a.split('-');
  const [bMs = '0', bNumber = '0'] = b.split('-');
  const order = BigInt(aMs) - BigInt(bMs) || BigInt(aNumber) - BigInt(bNumber);
  return order < 0n ? -1 : order > 0n ? 1 : 0;
}

export function isPosition(value: unknown): value is RedisPosition {
  if (typeof value !== 'object' || value === null) return false;
  const { id, index } = value as { id?: unknown; index?: unknown };
  return (
    typeof id === 'string' &&
    /^\d{1,20}-\d{1,20}$/.test(id) &&
    (index === null || (Number.isSafeInteger(index) && (index as number) >= 1))
  );
}
