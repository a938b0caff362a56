/**
 * Random runs against a model: batches, sizes, files, rolling, failures, crashes. Whatever happens, the files hold exactly
 * the items of the writes that the positions speak of, in order.
 */

import { promises } from 'node:fs';
import { join } from 'node:path';
import { FileSink, type FileSinkOptions } from '@streamweld/file';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testFolder } from './driving.ts';
import { type Faults, faultyLayer, systemError } from './file-layer.ts';
import { contentOf, mortalLayer, openContext, writeContext } from './sink-driving.ts';

interface Row {
  readonly to: string;
  readonly value: number;
  readonly text: string;
}

/** What befalls a write, by the operation that it befalls. */
type Fate =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'fails' | 'dies';
      readonly after: number;
      readonly isShort: boolean;
      readonly errno: string;
    };

interface Step {
  readonly sizes: readonly number[];
  readonly fate: Fate;
  readonly end: 'none' | 'close' | 'abandon' | 'die';
}

const FATE: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: 'none' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('fails' as const, 'dies' as const),
      after: fc.nat(8),
      isShort: fc.boolean(),
      errno: fc.constantFrom('ENOSPC', 'EFBIG', 'EIO'),
    }),
  },
);
const STEP: fc.Arbitrary<Step> = fc.record({
  sizes: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 12 }),
  fate: FATE,
  end: fc.oneof(
    { weight: 5, arbitrary: fc.constant('none' as const) },
    { weight: 3, arbitrary: fc.constantFrom('close' as const, 'abandon' as const, 'die' as const) },
  ),
});
const SHAPE = fc.record({
  kind: fc.constantFrom('one', 'many', 'rolled', 'rolled many'),
  isZipped: fc.boolean(),
  format: fc.constantFrom('ndjson' as const, 'csv' as const),
  maxItems: fc.integer({ min: 1, max: 7 }),
  maxBytes: fc.integer({ min: 1, max: 200 }),
  maxOpen: fc.integer({ min: 1, max: 4 }),
  fsync: fc.constantFrom('batch' as const, 'close' as const, 'never' as const),
});

/** Makes the operation of that number fail or the process die, once it is armed. */
class Doom {
  fate: Fate = { kind: 'none' };
  toGo = 0;
  isTripped = false;
  died: () => void = () => {};

  arm(fate: Fate): Promise<void> {
    this.fate = fate;
    this.toGo = fate.kind === 'none' ? 0 : fate.after;
    this.isTripped = false;
    return new Promise((resolve) => {
      this.died = resolve;
    });
  }

  disarm(): void {
    this.fate = { kind: 'none' };
  }

  readonly faults: Faults = {
    write: async (path, length, position) => {
      if (!this.#strikes()) return undefined;
      const { fate } = this;
      if (fate.kind !== 'none' && fate.isShort) {
        // Half of it is there, and who looks sees it.
        const torn = Buffer.alloc(Math.ceil(length / 2), '#');
        const handle = await promises
          .open(path.replace(/\.ledger\.tmp$/, '.ledger'), 'r+')
          .catch(() => undefined);
        await handle?.write(torn, 0, torn.length, position);
        await handle?.close();
      }
      return this.#strike();
    },
    truncate: () => (this.#strikes() ? this.#strike() : undefined),
    rename: () => (this.#strikes() ? this.#strike() : undefined),
    datasync: () => (this.#strikes() && this.fate.kind === 'dies' ? this.#strike() : undefined),
    sync: () => (this.#strikes() && this.fate.kind === 'dies' ? this.#strike() : undefined),
    unlink: () => (this.#strikes() && this.fate.kind === 'dies' ? this.#strike() : undefined),
  };

  #strikes(): boolean {
    if (this.fate.kind === 'none') return false;
    this.toGo -= 1;
    return this.toGo < 0 && (this.fate.kind === 'dies' || !this.isTripped);
  }

  async #strike(): Promise<never> {
    const { fate } = this;
    this.isTripped = true;
    if (fate.kind === 'fails') throw systemError(fate.errno);
    this.died();
    return new Promise(() => {});
  }
}

describe('FileSink with a checkpoint, against a model', () => {
  const tripped = { fails: 0, dies: 0 };

  test('holds exactly the items of the writes its positions speak of', async () => {
    await fc.assert(
      fc.asyncProperty(SHAPE, fc.array(STEP, { minLength: 1, maxLength: 10 }), async (shape, steps) => {
        const folder = testFolder();
        const isRolled = shape.kind.startsWith('rolled');
        const isMany = shape.kind.endsWith('many');
        const ending = shape.isZipped ? '.gz' : '';
        const options: FileSinkOptions = {
          maxOpen: shape.maxOpen,
          fsync: shape.fsync,
          ...(isRolled ? { roll: { maxItems: shape.maxItems, maxBytes: shape.maxBytes } } : {}),
        };
        const doom = new Doom();
        const make = () => {
          const process = mortalLayer(folder);
          const number = isRolled ? '-{sequence}' : '';
          const path = join(folder, isMany ? `{to}${number}${ending}` : `out${number}${ending}`);
          const sink = new FileSink<Row>(path, {
            ...options,
            client: faultyLayer(doom.faults, process),
            format: shape.format as 'ndjson',
          });
          return { process, sink };
        };
        /** Writes that are done, by number; the model. */
        const written: Row[][] = [];
        let { process: host, sink } = make();
        await sink.open(openContext());

        const check = async (): Promise<void> => {
          const position = (sink.positions().get('lane') ?? 0) as number;
          // What was answered is held; what was under way may be.
          expect(position).toBeGreaterThanOrEqual(written.length);
          expect(position).toBeLessThanOrEqual(written.length + (pending === undefined ? 0 : 1));
          if (position > written.length) written.push(pending as Row[]);
          pending = undefined;
          expect(shownOf(contentOf(folder), isRolled, ending)).toEqual(
            expectedOf(written.flat(), isMany, shape.format),
          );
        };
        let pending: Row[] | undefined;
        const reopen = async (): Promise<void> => {
          ({ process: host, sink } = make());
          await sink.open(openContext());
          await check();
        };

        let value = 0;
        for (const { sizes, fate, end } of steps) {
          const rows = sizes.map((size) => ({
            to: 'abc'[value % 3] as string,
            value: value++,
            text: 'x'.repeat(size),
          }));
          const dead = doom.arm(fate);
          pending = rows;
          const context = writeContext({ lane: written.length + 1 });
          const outcome = await Promise.race([
            (async () => sink.write(rows, context))().then(
              () => 'written',
              () => 'failed',
            ),
            dead.then(() => 'died'),
          ]);
          if (doom.isTripped && fate.kind !== 'none') tripped[fate.kind] += 1;
          doom.disarm();
          if (outcome === 'died') {
            await host.die();
            await reopen();
            continue;
          }
          if (outcome === 'failed') {
            // Nothing of it was written: it may come again.
            await sink.write(rows, writeContext({ lane: written.length + 1 }, 2));
          }
          written.push(rows);
          pending = undefined;
          if (end === 'die') await host.die();
          if (end === 'close') {
            await sink.flush();
            await sink.close();
          }
          if (end === 'abandon') await sink.close(new Error('the run failed'));
          if (end !== 'none') await reopen();
        }
        await sink.close();
        await reopen();
        await sink.close();
      }),
      { numRuns: Number(process.env['STREAMWELD_MODEL_RUNS'] ?? 120) },
    );
    // What was to befall the writes did.
    expect(tripped.fails).toBeGreaterThan(20);
    expect(tripped.dies).toBeGreaterThan(20);
  }, 120_000);
});

/** Parts of one path, joined; each begins with a header of its own. */
function shownOf(content: Record<string, string>, isRolled: boolean, ending: string): Record<string, string> {
  const shown: Record<string, string> = {};
  for (const [name, text] of Object.entries(content)) {
    expect(text.includes('#'), `${name} is torn`).toBe(false);
    const path = name.slice(0, name.length - ending.length).replace(isRolled ? /-\d{6}$/ : /$^/, '');
    const before = shown[path];
    if (text === '') continue;
    shown[path] = before === undefined ? text : before + text.replace(/^to,value,text\n/, '');
  }
  return shown;
}

function expectedOf(rows: readonly Row[], isMany: boolean, format: 'ndjson' | 'csv'): Record<string, string> {
  const expected: Record<string, string> = {};
  for (const row of rows) {
    const path = isMany ? row.to : 'out';
    expected[path] ??= format === 'csv' ? 'to,value,text\n' : '';
    expected[path] += format === 'csv' ? `${row.to},${row.value},${row.text}\n` : `${JSON.stringify(row)}\n`;
  }
  return expected;
}
