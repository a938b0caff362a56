/** Sinks that break one rule each, on purpose: a correct one with a defect in it. */

import type { Accepted, Awaitable, SinkContext, WriteContext } from '@streamweld/core';
import { StreamWeldError, WriteError } from '@streamweld/core/connector';
import type { Row, Table } from './table.ts';
import {
  AtomicSink,
  DeferringSink,
  GatheringSink,
  isBad,
  KeepingSink,
  PlainSink,
  type TableSinkClass,
  TwofoldSink,
  UploadSink,
} from './table-sinks.ts';

export interface BrokenSink {
  readonly rule: string;
  readonly defect: string;
  /** What the check says of it: it is caught for the right reason. */
  readonly says: RegExp;
  readonly broken: TableSinkClass;
  /** It is put to the checks of a sink that keeps positions too. */
  readonly keeps?: boolean;
}

/** What broken sinks left running: ended by the test. */
export const leftRunning: NodeJS.Timeout[] = [];

/** Of all sinks that were ever made: nothing else would outlive one. */
const hoard: Row[] = [];

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const LOST = { id: 77, word: 'that nobody wrote' };

const refused = (password: string): StreamWeldError =>
  new StreamWeldError('TABLE_DENIED', `The table refused the password '${password}'. Give the right one.`);

/** Puts rows and positions into a table in two steps. */
function insertThenKeep(order: 'rows first' | 'positions first'): TableSinkClass {
  return class extends KeepingSink {
    override async write(batch: readonly Row[], { signal, positions }: WriteContext): Promise<void> {
      this.check(batch);
      const checkpoint = this.context?.checkpoint;
      const rows = (table: Table): void => table.insert(batch);
      const keep = (table: Table): void => {
        if (checkpoint !== undefined && positions !== undefined) table.keep(checkpoint, positions);
      };
      for (const step of order === 'rows first' ? [rows, keep] : [keep, rows])
        await this.live.request(step, signal);
    }
  };
}

export const BROKEN_SINKS: readonly BrokenSink[] = [
  {
    rule: 'K1',
    defect: 'fails to close when it could not be opened',
    says: /It is not open/,
    broken: class extends AtomicSink {
      override close(): void {
        this.live.close();
      }
    },
  },
  {
    rule: 'K2',
    defect: 'takes one write at a time, and says two',
    says: /It is busy/,
    broken: class extends AtomicSink {
      isBusy = false;
      override async write(batch: readonly Row[], context: WriteContext): Promise<void> {
        if (this.isBusy) throw new StreamWeldError('TABLE_BUSY', 'It is busy. Wait for the other write.');
        this.isBusy = true;
        await super.write(batch, context);
        this.isBusy = false;
      }
    },
  },
  {
    rule: 'K2',
    defect: 'lets two writes at once share a buffer',
    says: /cannot be read back|times what was written/,
    broken: class extends AtomicSink {
      buffer: readonly Row[] = [];
      override async write(batch: readonly Row[], { signal }: WriteContext): Promise<void> {
        this.check(batch);
        this.buffer = batch;
        await this.live.request((table) => table.insert(this.buffer), signal);
      }
    },
  },
  {
    rule: 'K3',
    defect: 'sorts the batch in its place',
    says: /read only|changed what is in a batch/,
    broken: class extends AtomicSink {
      override async write(batch: readonly Row[], context: WriteContext): Promise<void> {
        (batch as Row[]).sort((a, b) => b.id - a.id);
        await super.write(batch, context);
      }
    },
  },
  {
    rule: 'K3',
    defect: 'empties the batch when it is done, where it can',
    says: /changed the length of a batch/,
    broken: class extends AtomicSink {
      override async write(batch: readonly Row[], context: WriteContext): Promise<void> {
        await super.write(batch, context);
        if (!Object.isFrozen(batch)) (batch as Row[]).length = 0;
      }
    },
  },
  {
    rule: 'K3',
    defect: 'marks each item as written',
    says: /changed an item of a batch/,
    broken: class extends AtomicSink {
      override async write(batch: readonly Row[], context: WriteContext): Promise<void> {
        await super.write(
          batch.map((row) => ({ ...row })),
          context,
        );
        for (const row of batch) Object.assign(row, { isWritten: true });
      }
    },
  },
  {
    rule: 'K4',
    defect: 'does not wait for what it has asked for',
    says: /a write that returned nothing: .* cannot be read back/,
    broken: class extends AtomicSink {
      override async write(batch: readonly Row[], context: WriteContext): Promise<void> {
        super.write(batch, context).catch(() => {});
      }
    },
  },
  {
    rule: 'K4',
    defect: 'gathers, and says nothing of it',
    says: /a write that returned nothing: .* cannot be read back/,
    broken: class extends GatheringSink {
      override write(batch: readonly Row[], context: WriteContext): void {
        super.write(batch, context);
      }
    },
  },
  {
    rule: 'K5',
    defect: 'calls an upload durable when it has begun',
    says: /when it says that it is durable: .* cannot be read back/,
    broken: class extends UploadSink {
      override write(batch: readonly Row[], context: WriteContext): Accepted {
        super.write(batch, context);
        return { durable: Promise.resolve() };
      }
    },
  },
  {
    rule: 'K5',
    defect: 'never says that an upload is durable',
    says: /to be durable, did not come within/,
    broken: class extends UploadSink {
      override write(batch: readonly Row[], context: WriteContext): Accepted {
        super.write(batch, context);
        return { durable: new Promise(() => {}) };
      }
    },
  },
  {
    rule: 'K6',
    defect: 'is atomic, and leaves the first row of a write that failed',
    says: /it reads what was not written/,
    broken: class extends AtomicSink {
      override async write(batch: readonly Row[], { signal }: WriteContext): Promise<void> {
        this.check(batch);
        this.table.insert(batch.slice(0, 1));
        await this.live.request((table) => table.insert(batch.slice(1)), signal);
      }
    },
  },
  {
    rule: 'K6',
    defect: 'takes no write any more after one that failed',
    says: /takes no write any more/,
    broken: class extends AtomicSink {
      failure: unknown;
      override async write(batch: readonly Row[], context: WriteContext): Promise<void> {
        if (this.failure !== undefined) throw this.failure;
        try {
          await super.write(batch, context);
        } catch (error) {
          this.failure = error;
          throw error;
        }
      }
    },
  },
  {
    rule: 'K6',
    defect: 'names the row that failed, and not those that it did not try then',
    says: /cannot be read back/,
    broken: class extends PlainSink {
      override async write(batch: readonly Row[], context: WriteContext): Promise<void> {
        try {
          await super.write(batch, context);
        } catch (error) {
          const failed = error instanceof WriteError ? error.failed?.slice(0, 1) : undefined;
          if (failed === undefined) throw error;
          throw new WriteError('A row was not written. Its index is in failed.', { failed, cause: error });
        }
      }
    },
  },
  {
    rule: 'K6',
    defect: 'loses what it had gathered when a flush fails',
    says: /cannot be read back|nothing says that it is lost|to be durable/,
    broken: class extends GatheringSink {
      override async flush(): Promise<void> {
        const { gathered, durable } = this;
        this.gathered = [];
        await this.live.request((table) => {
          for (const rows of gathered) table.insert(rows);
        }, this.context?.signal);
        this.durable = undefined;
        durable?.resolve();
      }
    },
  },
  {
    rule: 'K7',
    defect: 'flushes without waiting for it',
    says: /writes are not durable when the flush has returned/,
    broken: class extends GatheringSink {
      override async flush(): Promise<void> {
        super.flush().catch(() => {});
      }
    },
  },
  {
    rule: 'K7',
    defect: 'flushes all but what came last',
    says: /what was flushed: .* cannot be read back|are not durable/,
    broken: class extends GatheringSink {
      override async flush(): Promise<void> {
        const last = this.gathered.pop();
        await super.flush();
        if (last !== undefined) this.gathered.push(last);
      }
    },
  },
  {
    rule: 'K7',
    defect: 'makes durable what it accepted when it closes, and not before',
    says: /are not durable when the flush has returned/,
    broken: class extends GatheringSink {
      override async flush(): Promise<void> {}
      override async close(reason?: unknown): Promise<void> {
        if (reason === undefined) await super.flush();
        await super.close(reason);
      }
    },
  },
  {
    rule: 'K8',
    defect: 'writes a last row when it finishes',
    says: /it reads what was not written/,
    broken: class extends AtomicSink {
      override async close(reason?: unknown): Promise<void> {
        if (reason === undefined) this.table.insert([LOST]);
        await super.close(reason);
      }
    },
  },
  {
    rule: 'K8',
    defect: 'takes away what it wrote, some time after it has closed',
    says: /some turns after a close: .* cannot be read back/,
    broken: class extends AtomicSink {
      override async close(reason?: unknown): Promise<void> {
        await super.close(reason);
        const { table } = this;
        void turn()
          .then(turn)
          .then(() => table.rows.pop());
      }
    },
  },
  {
    rule: 'K8',
    defect: 'never ends its closing',
    says: /close did not come within/,
    broken: class extends AtomicSink {
      override async close(reason?: unknown): Promise<void> {
        await super.close(reason);
        await new Promise(() => {});
      }
    },
  },
  {
    rule: 'K9',
    defect: 'has all writes wait for one that nobody waits for any more',
    says: /the second write|takes no write any more/,
    broken: class extends AtomicSink {
      last: Promise<void> = Promise.resolve();
      override write(batch: readonly Row[], context: WriteContext): Promise<void> {
        this.last = this.last.then(() => super.write(batch, context));
        return this.last;
      }
    },
  },
  {
    rule: 'K10',
    defect: 'settles one piece more than it has',
    says: /It settled more pieces than it has/,
    broken: class extends DeferringSink {
      override write(batch: readonly Row[], context: WriteContext): void {
        super.write(batch, { ...context, defer: () => Object.assign(context.defer(), { retain: () => {} }) });
      }
    },
  },
  {
    rule: 'K10',
    defect: 'forgets a piece',
    says: /to be durable, did not come within/,
    broken: class extends DeferringSink {
      override write(batch: readonly Row[], context: WriteContext): void {
        super.write(batch, context);
        context.defer().retain(1);
      }
    },
  },
  {
    rule: 'K11',
    defect: 'writes its positions after the items',
    says: /it reads what was not written/,
    broken: insertThenKeep('rows first'),
    keeps: true,
  },
  {
    rule: 'K11',
    defect: 'writes its positions before the items',
    says: /cannot be read back/,
    broken: insertThenKeep('positions first'),
    keeps: true,
  },
  {
    rule: 'K11',
    defect: 'keeps its positions under one name, whatever the name',
    says: /deep/,
    broken: class extends KeepingSink {
      override open(context: SinkContext): void {
        super.open({ ...context, checkpoint: context.checkpoint && 'one' });
      }
    },
    keeps: true,
  },
  {
    rule: 'K11',
    defect: 'forgets the lanes that a write does not move',
    says: /other positions than it was given/,
    broken: class extends KeepingSink {
      override write(batch: readonly Row[], context: WriteContext): Promise<void> {
        this.table.positions.clear();
        return super.write(batch, context);
      }
    },
    keeps: true,
  },
  {
    rule: 'K12',
    defect: 'answers { durable }',
    says: /It answered \{ durable \}/,
    broken: class extends KeepingSink {
      // A promise of an answer: what the class itself says of its write is too narrow for it.
      override async write(batch: readonly Row[], context: WriteContext): Promise<never> {
        return { durable: super.write(batch, context) } as never;
      }
    },
    keeps: true,
  },
  {
    rule: 'K12',
    defect: 'leaves the first row of a write that failed, and writes it again',
    says: /it reads 2 times/,
    broken: class extends KeepingSink {
      override async write(batch: readonly Row[], context: WriteContext): Promise<void> {
        this.check(batch);
        this.table.insert(batch.slice(0, 1));
        await super.write(batch.slice(1), context);
      }
    },
    keeps: true,
  },
  {
    rule: 'K13',
    defect: 'answers the furthest positions of its tables',
    says: /up to the positions that it holds: .* cannot be read back/,
    broken: class extends TwofoldSink {
      override positions(): ReadonlyMap<string, unknown> {
        return new Map([...super.positions(), ...this.ahead()]);
      }
    },
    keeps: true,
  },
  {
    rule: 'K13',
    defect: 'does not say that a table is ahead',
    says: /it reads what was not written|it reads 2 times/,
    broken: class extends TwofoldSink {
      override ahead(): ReadonlyMap<string, unknown> {
        return new Map();
      }
    },
    keeps: true,
  },
  {
    rule: 'K13',
    defect: 'writes to the table that is ahead once more',
    says: /it reads 2 times/,
    broken: class extends TwofoldSink {
      protected override has(): boolean {
        return false;
      }
    },
    keeps: true,
  },
  {
    rule: 'K13',
    defect: 'calls the furthest position ahead where its tables do not differ',
    says: /It is ahead after a run that ended well/,
    broken: class extends TwofoldSink {
      override ahead(): ReadonlyMap<string, unknown> {
        return new Map([...super.positions(), ...super.ahead()]);
      }
    },
    keeps: true,
  },
  {
    rule: 'K14',
    defect: 'does not keep what it is given without items',
    says: /other positions than it was given/,
    broken: class extends KeepingSink {
      override async keep(): Promise<void> {}
    },
    keeps: true,
  },
  {
    rule: 'K14',
    defect: 'keeps what moved without items when it closes, and not before',
    says: /other positions than it was given/,
    broken: class extends KeepingSink {
      kept: ReadonlyMap<string, unknown> = new Map();
      override async keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
        this.kept = positions;
      }
      override async close(reason?: unknown): Promise<void> {
        if (reason === undefined) await super.keep(this.kept);
        await super.close(reason);
      }
    },
    keeps: true,
  },
  {
    rule: 'K15',
    defect: 'reverses a batch',
    says: /it reads another order/,
    broken: class extends AtomicSink {
      override write(batch: readonly Row[], context: WriteContext): Promise<void> {
        return super.write(batch.toReversed(), context);
      }
    },
  },
  {
    rule: 'K15',
    defect: 'loses what does not fit into a page of 500',
    says: /cannot be read back/,
    broken: class extends AtomicSink {
      override write(batch: readonly Row[], context: WriteContext): Promise<void> {
        return super.write(batch.slice(0, 500), context);
      }
    },
  },
  {
    rule: 'K15',
    defect: 'writes numbers as texts',
    says: /cannot be read back/,
    broken: class extends AtomicSink {
      override write(batch: readonly Row[], context: WriteContext): Promise<void> {
        return super.write(
          batch.map((row) => ({ ...row, id: `${row.id}` as never })),
          context,
        );
      }
    },
  },
  {
    rule: 'K16',
    defect: 'makes half of what it had gathered visible when it is abandoned',
    says: /of a write of \d items it reads/,
    broken: class extends GatheringSink {
      override async close(reason?: unknown): Promise<void> {
        const [first] = this.gathered;
        if (reason !== undefined && first !== undefined) this.table.insert(first.slice(0, 1));
        await super.close(reason);
      }
    },
  },
  {
    rule: 'K16',
    defect: 'is atomic, and writes row by row',
    says: /of a write of \d+ items it reads/,
    broken: class extends AtomicSink {
      override async write(batch: readonly Row[], { signal }: WriteContext): Promise<void> {
        this.check(batch);
        for (const row of batch) await this.live.request((table) => table.insert([row]), signal);
      }
    },
  },
  {
    rule: 'K16',
    defect: 'leaves a torn row when it is abandoned',
    says: /it reads what was not written/,
    broken: class extends AtomicSink {
      override async close(reason?: unknown): Promise<void> {
        if (reason !== undefined) this.table.insert([{ id: 0, word: 'wor' }]);
        await super.close(reason);
      }
    },
  },
  {
    rule: 'K17',
    defect: 'does not look at the signal of its writes',
    says: /write, after its signal had aborted, did not come within/,
    broken: class extends AtomicSink {
      override async write(batch: readonly Row[]): Promise<void> {
        this.check(batch);
        await this.live.request((table) => table.insert(batch));
      }
    },
  },
  {
    rule: 'K17',
    defect: 'does not look at the signal in its flush',
    says: /flush, after its signal had aborted, did not come within/,
    broken: class extends GatheringSink {
      override open(context: SinkContext): void {
        super.open(context);
        this.context = undefined;
      }
    },
  },
  {
    rule: 'K17',
    defect: 'does not look at the signal in its open',
    says: /open, after its signal had aborted, did not come within/,
    broken: class extends AtomicSink {
      override open(context: SinkContext): Awaitable<void> {
        super.open(context);
        return this.live.request(() => {});
      }
    },
  },
  {
    rule: 'K17',
    defect: 'locks its table after an open that was called off, when nobody unlocks it any more',
    says: /is locked/,
    broken: class extends AtomicSink {
      override async open(context: SinkContext): Promise<void> {
        const { table } = this;
        if (table.positions.has('lock'))
          throw new StreamWeldError('TABLE_LOCKED', 'The table is locked. Remove its lock.');
        await super.open(context);
        if (table.stalled === undefined) return;
        void table.stalled.promise.then(() => table.positions.set('lock', new Map()));
        await this.live.request(() => {}, context.signal);
      }
    },
  },
  {
    rule: 'K17',
    defect: 'takes a write that was called off for one that is done',
    says: /cannot be read back|ended well/,
    broken: class extends AtomicSink {
      override async write(batch: readonly Row[], context: WriteContext): Promise<void> {
        await super.write(batch, context).catch(() => {});
      }
    },
  },
  {
    rule: 'K18',
    defect: 'leaves its connection open when it is abandoned',
    says: /Left behind: \d+ handle \(Timeout\)/,
    broken: class extends AtomicSink {
      override close(reason?: unknown): Awaitable<void> {
        return reason === undefined ? super.close() : undefined;
      }
    },
  },
  {
    rule: 'K18',
    defect: 'leaves a timer running where its open failed',
    says: /Left behind: \d+ handle \(Timeout\)/,
    broken: class extends AtomicSink {
      override open(context: SinkContext): void {
        // Several: a timer of the runner that goes away meanwhile would hide one.
        const timers = Array.from({ length: 9 }, () => setInterval(() => {}, 60_000));
        leftRunning.push(...timers);
        super.open(context);
        for (const timer of timers) clearInterval(timer);
      }
    },
  },
  {
    rule: 'K18',
    defect: 'leaves a listener on the signal of the run',
    says: /Left behind: 1 signal listener/,
    broken: class extends AtomicSink {
      override open(context: SinkContext): void {
        context.signal.addEventListener('abort', () => {});
        super.open(context);
      }
    },
  },
  {
    rule: 'K18',
    defect: 'leaves a rejection that nobody handles when a write is called off',
    says: /Left behind: \d+ rejection/,
    broken: class extends AtomicSink {
      override write(batch: readonly Row[], context: WriteContext): Promise<void> {
        const writing = super.write(batch, context);
        void writing.finally(() => {});
        return writing;
      }
    },
  },
  {
    rule: 'K19',
    defect: 'has the password in its error',
    says: /has 'planted-secret/,
    broken: class extends AtomicSink {
      override open(context: SinkContext): void {
        if (this.password !== this.table.password) throw refused(this.password);
        super.open(context);
      }
    },
  },
  {
    rule: 'K19',
    defect: 'throws what the place said, without a code',
    says: /has no code of its own/,
    broken: class extends AtomicSink {
      override open(context: SinkContext): void {
        if (this.password !== this.table.password) throw new Error('403');
        super.open(context);
      }
    },
  },
  {
    rule: 'K19',
    defect: 'quotes the first row in the cause of its error',
    says: /when a write fails: .* of what it throws has 'word-of/,
    broken: class extends AtomicSink {
      override async write(batch: readonly Row[], context: WriteContext): Promise<void> {
        try {
          await super.write(batch, context);
        } catch {
          const cause = new Error(`INSERT INTO t VALUES ('${batch[0]?.word}')`);
          throw new StreamWeldError('TABLE_AWAY', 'The table did not answer. Try again.', { cause });
        }
      }
    },
  },
  {
    rule: 'K19',
    defect: 'quotes a row that cannot be written',
    says: /has 'planted-secret/,
    broken: class extends AtomicSink {
      protected override check(batch: readonly Row[]): void {
        const bad = batch.find(isBad);
        if (bad === undefined) return;
        const cause = new StreamWeldError('TABLE_ROW', `The table does not take ${bad.word}. Mend it.`);
        throw new WriteError(cause.message, { failed: [batch.indexOf(bad)], retryable: false, cause });
      }
    },
  },
  {
    rule: 'K20',
    defect: 'would have a bad row tried again',
    says: /does not say retryable: false/,
    broken: class extends AtomicSink {
      protected override check(batch: readonly Row[]): void {
        const failed = batch.flatMap((row, index) => (isBad(row) ? [index] : []));
        if (failed.length > 0)
          throw new WriteError('The table does not take some rows. See failed.', { failed });
      }
    },
  },
  {
    rule: 'K20',
    defect: 'counts from one',
    says: /names other items than the one that is bad/,
    broken: class extends AtomicSink {
      protected override check(batch: readonly Row[]): void {
        const failed = batch.flatMap((row, index) => (isBad(row) ? [index + 1] : []));
        if (failed.length > 0)
          throw new WriteError('The table does not take some rows. See failed.', {
            failed,
            retryable: false,
          });
      }
    },
  },
  {
    rule: 'K20',
    defect: 'blames all of a batch for one row',
    says: /names other items|items went to the dead letter/,
    broken: class extends AtomicSink {
      protected override check(batch: readonly Row[]): void {
        if (!batch.some(isBad)) return;
        const failed = [...batch.keys()];
        throw new WriteError('The table does not take some rows. See failed.', { failed, retryable: false });
      }
    },
  },
  {
    rule: 'K20',
    defect: 'leaves a bad row out, and says nothing',
    says: /It wrote an item that cannot be written/,
    broken: class extends AtomicSink {
      override write(batch: readonly Row[], context: WriteContext): Promise<void> {
        return super.write(
          batch.filter((row) => !isBad(row)),
          context,
        );
      }
    },
  },
  {
    rule: 'K21',
    defect: 'holds all that it ever wrote',
    says: /are still in memory/,
    broken: class extends AtomicSink {
      override async write(batch: readonly Row[], context: WriteContext): Promise<void> {
        await super.write(batch, context);
        hoard.push(...batch);
      }
      override async close(reason?: unknown): Promise<void> {
        await super.close(reason);
        hoard.length = 0;
      }
    },
  },
  {
    rule: 'K21',
    defect: 'keeps a text of each item that it wrote',
    says: /Its memory has grown by/,
    broken: class extends AtomicSink {
      readonly seen = new Set<string>();
      override async write(batch: readonly Row[], context: WriteContext): Promise<void> {
        await super.write(batch, context);
        for (const row of batch) this.seen.add(Buffer.from(JSON.stringify(row).repeat(9)).toString());
      }
    },
  },
  {
    rule: 'K21',
    defect: 'takes whatever comes while the place gives no answer',
    says: /It has accepted \d+ items while .* no answer/,
    broken: class extends GatheringSink {
      protected override get isFull(): boolean {
        return false;
      }
    },
  },
  {
    rule: 'K21',
    defect: 'begins an upload for whatever comes while the place gives no answer',
    says: /It has accepted \d+ items while .* no answer/,
    broken: class extends UploadSink {
      protected override get isFull(): boolean {
        return false;
      }
    },
  },
  {
    rule: 'K22',
    defect: 'begins anew',
    says: /cannot be read back/,
    broken: class extends AtomicSink {
      override open(context: SinkContext): void {
        super.open(context);
        this.table.rows = [];
      }
    },
  },
  {
    rule: 'K22',
    defect: 'takes back what is durable when it is abandoned',
    says: /after one that was abandoned: .* cannot be read back/,
    broken: class extends AtomicSink {
      override async close(reason?: unknown): Promise<void> {
        if (reason !== undefined) this.table.rows.shift();
        await super.close(reason);
      }
    },
  },
  {
    rule: 'K22',
    defect: 'does not open beside what one that was killed has left',
    says: /is locked/,
    broken: class extends AtomicSink {
      override open(context: SinkContext): void {
        if (this.table.positions.has('lock'))
          throw new StreamWeldError('TABLE_LOCKED', 'The table is locked. Remove its lock.');
        super.open(context);
        this.table.positions.set('lock', new Map());
      }
      override async close(reason?: unknown): Promise<void> {
        this.table.positions.delete('lock');
        await turn();
        await super.close(reason);
      }
    },
  },
];
