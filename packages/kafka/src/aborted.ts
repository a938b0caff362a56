/** What was aborted is fetched with the rest: the broker says of which producer, from which offset on, and where it ended. */

/** Of a partition in the answer to a fetch, what tells. */
export interface FetchedPartition {
  abortedTransactions?: readonly AbortedTransaction[] | null | undefined;
  readonly messages: readonly FetchedMessage[];
}

interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

interface FetchedMessage {
  readonly offset: string;
  readonly key: Uint8Array | null;
  /** Whether it is an end of a transaction, and nobody's to see. */
  isControlRecord?: boolean | undefined;
  readonly batchContext?:
    | { readonly producerId?: string | undefined; readonly inTransaction?: boolean | undefined }
    | undefined;
}

/** The key of an end: the version, and whether it is an abort (0) or a commit (1), two bytes each. */
function isAbort({ key }: FetchedMessage): boolean {
  return key !== null && key.length >= 4 && key[2] === 0 && key[3] === 0;
}

/** Makes what was aborted nobody's to see, and leaves the client nothing to find out. It stays where it is: offsets go past it. */
export function hideAborted(partition: FetchedPartition): void {
  const { abortedTransactions, messages } = partition;
  if (abortedTransactions === undefined || abortedTransactions === null || abortedTransactions.length === 0)
    return;
  partition.abortedTransactions = [];
  const coming = abortedTransactions
    .map(({ producerId, firstOffset }) => ({ producerId, first: BigInt(firstOffset) }))
    .sort((a, b) => (a.first < b.first ? -1 : 1));
  const open = new Set<string>();
  let at = 0;
  for (const message of messages) {
    const offset = BigInt(message.offset);
    for (let next = coming[at]; next !== undefined && next.first <= offset; next = coming[++at])
      open.add(next.producerId);
    const { producerId, inTransaction } = message.batchContext ?? {};
    if (producerId === undefined || !open.has(producerId)) continue;
    if (message.isControlRecord === true) {
      if (isAbort(message)) open.delete(producerId);
    } else if (inTransaction === true) {
      message.isControlRecord = true;
    }
  }
}
