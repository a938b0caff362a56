/** Who is there: the outlets of a dispatcher, the sinks subscribed to it, and what became of those that left. */

import { StreamWeldError } from '../errors.ts';
import { listNames } from './dispatch-errors.ts';
import { Outlet } from './outlet.ts';
import type { SinkStatus, SinkSubscription } from './subscription.ts';

export interface RosterOptions<T> {
  /** The dispatcher's name. */
  readonly name: string;
  /** The partitions, where there are any: each has its outlet from the first day. */
  readonly partitions: readonly (string | number)[] | undefined;
  /** Of an item's key, where order is kept per key. */
  readonly hash: ((item: T) => number) | undefined;
  readonly bufferSize: number | undefined;
  /** The name that sinks keep positions under, if they do. */
  readonly checkpoint: string | undefined;
  readonly onRoom: () => void;
}

/** The buffer of whoever names none. */
export const DEFAULT_BUFFER = 1000;

/** How many of those that left are remembered. */
const MOST_DEPARTED = 100;

export class Roster<T> {
  readonly #options: RosterOptions<T>;
  #departed: readonly (() => SinkStatus)[] = [];
  /** Both lists are replaced, never changed: what is under way goes on with the list it began with. */
  outlets: readonly Outlet<T>[];
  subscriptions: readonly SinkSubscription<T>[] = [];

  constructor(options: RosterOptions<T>) {
    this.#options = options;
    this.outlets = (options.partitions ?? []).map((partition) =>
      this.createOutlet(String(partition), partition),
    );
  }

  get isPartitioned(): boolean {
    return this.#options.partitions !== undefined;
  }

  /** In order of subscription; those that left come last. */
  get statuses(): SinkStatus[] {
    return [
      ...this.subscriptions.map((subscription) => subscription.status),
      ...this.#departed.map((status) => status()),
    ];
  }

  /** Partitions in which items wait for a sink. */
  get unserved(): string[] {
    return this.outlets
      .filter((outlet) => !outlet.hasSeats && outlet.buffered > 0)
      .map((outlet) => outlet.name);
  }

  /** Partitions that no sink is subscribed to. */
  get vacant(): string[] {
    if (!this.isPartitioned) return [];
    return this.outlets.filter(({ hasSeats }) => !hasSeats).map(({ name }) => `'${name}'`);
  }

  add(subscription: SinkSubscription<T>): void {
    this.subscriptions = [...this.subscriptions, subscription];
  }

  /** Items may go to it from now on. */
  join(outlet: Outlet<T>): void {
    if (!this.outlets.includes(outlet)) this.outlets = [...this.outlets, outlet];
  }

  /** No items go to it any more; the outlet of a partition stays, and waits for the next sink. */
  leave(outlet: Outlet<T>): void {
    if (this.isPartitioned) {
      outlet.overflow = 'wait';
      outlet.onDrop = undefined;
    } else {
      this.outlets = this.outlets.filter((other) => other !== outlet);
    }
  }

  forget(subscription: SinkSubscription<T>): void {
    this.subscriptions = this.subscriptions.filter((other) => other !== subscription);
    if (subscription.state !== 'opening')
      this.#departed = [...this.#departed, subscription.depart()].slice(-MOST_DEPARTED);
  }

  /** Whether others take from the same outlet. */
  isShared(subscription: SinkSubscription<T>): boolean {
    return this.subscriptions.some((other) => other !== subscription && other.outlet === subscription.outlet);
  }

  /** Resolves when nobody else takes from its outlet, if order wants it so. */
  async vacated(subscription: SinkSubscription<T>): Promise<void> {
    if (!this.isPartitioned || this.#options.hash !== undefined) return;
    for (const other of this.subscriptions) {
      if (other !== subscription && other.outlet === subscription.outlet) await other.gone;
    }
  }

  /** The outlet for a new subscription. @throws StreamWeldError SW_PARTITION_MISSING, SW_PARTITION_UNKNOWN, SW_PARTITION_TAKEN */
  outletFor(partition: string | number | undefined, name: string): Outlet<T> {
    const { partitions, hash } = this.#options;
    if (partitions === undefined) {
      if (partition === undefined) return this.createOutlet(name, undefined);
      throw new StreamWeldError(
        'SW_PARTITION_UNKNOWN',
        `The dispatcher '${this.#options.name}' has no partitions. Subscribe with subscribeSink(sink, undefined, options).`,
        { stage: this.#options.name },
      );
    }
    if (partition === undefined) {
      throw new StreamWeldError(
        'SW_PARTITION_MISSING',
        `Say which partition the sink is for: subscribeSink(sink, partition). The partitions are ${listNames(partitions)}.`,
        { stage: this.#options.name },
      );
    }
    const outlet = this.outlets[partitions.indexOf(partition)];
    if (outlet === undefined) {
      throw new StreamWeldError(
        'SW_PARTITION_UNKNOWN',
        `There is no partition ${typeof partition === 'string' ? `'${partition}'` : partition}. The partitions are ${listNames(partitions)}.`,
        { stage: this.#options.name },
      );
    }
    if (
      hash === undefined &&
      this.subscriptions.some(
        (other) => other.outlet === outlet && (other.state === 'open' || other.state === 'opening'),
      )
    ) {
      throw new StreamWeldError(
        'SW_PARTITION_TAKEN',
        `Partition '${outlet.name}' already has its sink. Give the builder a key, and a partition may have several: partition(names, route, { key }).`,
        { stage: this.#options.name },
      );
    }
    return outlet;
  }

  createOutlet(name: string, partition: string | number | undefined): Outlet<T> {
    return new Outlet<T>({
      name,
      partition,
      capacity: this.#options.bufferSize ?? DEFAULT_BUFFER,
      hash: partition === undefined ? undefined : this.#options.hash,
      isExact: this.#options.checkpoint !== undefined,
      onRoom: this.#options.onRoom,
    });
  }
}
