/** Follows a table into another, exactly once, until the row with the id -1 comes. It is killed by others at any moment. */

import { type CheckpointStore, ConcurrentPipeline, from } from '@streamweld/core';
import { PostgresSink } from '../../src/sink.ts';
import { PostgresChangeSource } from '../../src/source-changes.ts';

const [connection, table] = process.argv.slice(2) as [string, string];

/** Never asked for anything: the sink keeps the positions. */
const store: CheckpointStore = {
  load: () => Promise.resolve(new Map()),
  save: () => Promise.resolve(),
};

interface Row {
  readonly id: number;
  readonly n?: number;
  readonly isGone: boolean;
}

let isOver = (): void => {};
const source = new PostgresChangeSource({
  connection,
  slot: table,
  publication: table,
  tables: [table],
  heartbeatMs: 50,
});
const rows = from(source).flatMap((change): Row[] => {
  if (change.kind === 'truncate') throw new Error('Nobody truncates it.');
  // An update that changed the key tells the old one, which is to go.
  const gone = change.old === null ? [] : [{ id: change.old['id'] as number, isGone: true }];
  if (change.kind === 'delete') return gone;
  const { id, n } = change.new as { id: number; n: number };
  if (id === -1) isOver();
  return [...gone, { id, n, isGone: false }];
});
const pipeline = new ConcurrentPipeline(
  rows,
  new PostgresSink<Row>({
    connection,
    table: `${table}_copy`,
    mode: 'upsert',
    key: ['id'],
    columns: ['id', 'n'],
    delete: ({ isGone }) => isGone,
    batching: { maxItems: 100 },
  }),
)
  .bufferSize(500)
  .checkpoint(store, table);
isOver = () => void pipeline.drain();
await pipeline.run();
console.log('done');
