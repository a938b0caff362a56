/** PostgresCheckpointStore: where runs keep their positions, as rows of a table. */

import { type CheckpointStore, checkOptions, checkText, OptionError } from '@streamweld/core/connector';
import { type Session, Sessions } from './client.ts';
import { checkIdentifier } from './identifiers.ts';
import { checkReach, type ReachOptions } from './options.ts';
import { encodePositions, PositionTables } from './positions.ts';

/** A run saves now and then, and a store need not be closed: between two saves it holds no connection for long. */
const IDLE_MS = 100;

export interface PostgresCheckpointStoreOptions extends ReachOptions {
  /** A raw name; the table is created on first use, with another of the same name and `_runs`. Default `streamweld_checkpoints`. */
  readonly table?: string | undefined;
}

type Positions = ReadonlyMap<string, unknown>;

/**
 * Keeps checkpoints as rows: one for each pipeline and lane, replaced in one transaction, and durable when a save resolves.
 * A run that takes a name over fences every earlier one, wherever it runs.
 *
 * It is for sinks that keep no positions themselves: `PostgresSink` does, and then nothing is saved here.
 *
 *     const store = new PostgresCheckpointStore({ connection });
 *     await new ConcurrentPipeline(source, sink).checkpoint(store, 'orders').run();
 *     await store.close();
 */
export class PostgresCheckpointStore implements CheckpointStore {
  readonly #sessions: Sessions;
  readonly #tables: PositionTables;
  readonly #stage: string;
  #created: Promise<void> | undefined;
  /** Saves of one store come one after the other: the last one asked for is the one that stays. */
  #saving: Promise<unknown> = Promise.resolve();

  constructor(options: PostgresCheckpointStoreOptions) {
    const given = checkOptions('PostgresCheckpointStore options', options, [
      'connection',
      'client',
      'name',
      'errorDetails',
      'table',
    ]);
    const table = checkIdentifier('table', given.table ?? 'streamweld_checkpoints');
    const reach = checkReach(given, table);
    this.#stage = reach.name;
    this.#sessions = new Sessions({ ...reach, stage: reach.name, max: 1, idleMs: IDLE_MS });
    this.#tables = new PositionTables(table, reach.name);
  }

  async load(pipeline: string): Promise<Positions> {
    const name = checkText('pipeline', pipeline);
    return this.#with((session) => this.#tables.load(session, name), 'load a checkpoint');
  }

  /** Whoever saves last wins; a run that had acquired the name finds itself fenced. */
  save(pipeline: string, positions: Positions): Promise<void> {
    return this.#save(pipeline, positions, undefined);
  }

  /** Takes the name over: saves through what was acquired before reject with SW_CHECKPOINT_FENCED. */
  async acquire(pipeline: string): Promise<CheckpointStore> {
    const name = checkText('pipeline', pipeline);
    const epoch = await this.#with((session) => this.#tables.takeOver(session, name), 'acquire a checkpoint');
    const checkName = (given: string): void => {
      if (given === name) return;
      throw new OptionError('pipeline', `the name that was acquired, ${JSON.stringify(name)}`, given);
    };
    return {
      load: async (given) => {
        checkName(given);
        return this.load(name);
      },
      save: async (given, positions) => {
        checkName(given);
        await this.#save(name, positions, epoch);
      },
    };
  }

  /** Ends its connections; a pool of yours stays open. */
  async close(): Promise<void> {
    await this.#saving;
    await this.#sessions.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #save(pipeline: string, positions: Positions, epoch: string | undefined): Promise<void> {
    const name = checkText('pipeline', pipeline);
    const encoded = encodePositions(positions);
    const saving = this.#saving.then(() =>
      this.#with(async (session) => {
        await session.query('begin');
        if (epoch === undefined) await this.#tables.takeOver(session, name);
        else await this.#tables.hold(session, name, epoch, true);
        await this.#tables.replace(session, name, encoded);
        await session.commit();
      }, 'save a checkpoint'),
    );
    this.#saving = saving.catch(() => {});
    await saving;
  }

  #with<R>(use: (session: Session) => Promise<R>, action: string): Promise<R> {
    return this.#sessions.lend(`${action} (${this.#stage})`, async (session) => {
      this.#created ??= this.#tables.create(session);
      await this.#created.catch((error: unknown) => {
        this.#created = undefined;
        throw error;
      });
      return use(session);
    });
  }
}
