/** Starts the processes, gives them something to do through a topic, and proves what came of it. */

import { ConcurrentPipeline, from, range } from '@streamweld/core';
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { type Arguments, readArguments, USAGE } from './arguments.ts';
import { Ledger } from './ledger.ts';
import { buildDispatcher, CUSTOMERS, type Hub } from './pipeline.ts';
import type { Order, Word } from './process.ts';

const PROGRAM = fileURLToPath(new URL('process.ts', import.meta.url));

/** Longer than a group takes to notice that a member is gone. */
const SILENCE_MS = 60_000;

interface Worker {
  readonly child: ChildProcess;
  readonly number: number;
  readonly exited: Promise<unknown>;
}

class Crew {
  readonly #order: Omit<Order, 'number'>;
  readonly #onDone: (process: number, ids: readonly number[], at: number) => void;
  readonly #onFailed: (error: Error) => void;
  readonly workers: Worker[] = [];

  constructor(
    order: Omit<Order, 'number'>,
    onDone: (process: number, ids: readonly number[], at: number) => void,
    onFailed: (error: Error) => void,
  ) {
    this.#order = order;
    this.#onDone = onDone;
    this.#onFailed = onFailed;
  }

  /** Resolves when it has its place in the group. */
  start(number: number): Promise<void> {
    const child = fork(PROGRAM, [JSON.stringify({ ...this.#order, number })], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.workers.push({ child, number, exited: once(child, 'exit') });
    return new Promise((resolve) => {
      child.on('message', (word: Word) => {
        if (word.kind === 'ready') resolve();
        else if (word.kind === 'done') this.#onDone(number, word.ids, word.at);
        else this.#onFailed(new Error(`Process ${number} failed: ${word.message}`));
      });
    });
  }

  async stop(): Promise<void> {
    for (const { child } of this.workers) if (child.connected) child.send('stop');
    await Promise.all(this.workers.map(({ exited }) => exited));
  }
}

export async function run(args: Arguments, say: (line: string) => void): Promise<boolean> {
  const { brokers, rule, processes, items, kill, rounds } = args;
  const hub: Hub = {
    brokers,
    topic: `many-processes-${randomUUID()}`,
    partitions: Math.max(8, 2 * processes),
  };
  const kafka = new Kafka({
    brokers: brokers.split(','),
    clientId: 'many-processes',
    logLevel: logLevel.NOTHING,
  });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    waitForLeaders: true,
    topics: [{ topic: hub.topic, numPartitions: hub.partitions, replicationFactor: -1 }],
  });
  const shares = rule === 'broadcast' ? processes : 1;
  const ledger = new Ledger(items, shares);
  const wanted = items * shares;
  let told = 0;
  let silence: NodeJS.Timeout | undefined;
  let finish = (): void => {};
  let fail: (error: Error) => void = () => {};
  const finished = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  const crew = new Crew(
    { ...hub, rule, rounds },
    (number, ids, at) => {
      ledger.note(number, ids, at);
      told += ids.length;
      if (kill && told > items / 3) killOne();
      // What never comes is told as lost, and not waited for without end.
      clearTimeout(silence);
      if (ledger.isComplete) finish();
      else silence = setTimeout(finish, SILENCE_MS);
    },
    (error) => fail(error),
  );
  let killed: Worker | undefined;
  const killOne = (): void => {
    if (killed !== undefined) return;
    [killed] = crew.workers as [Worker];
    killed.child.kill('SIGKILL');
    say(`process ${killed.number} was killed after ${whole(told)} items`);
  };
  say(
    `${rule}: ${whole(items)} items of ${whole(CUSTOMERS)} customers through ${hub.partitions} partitions, ${processes} processes`,
  );
  try {
    await Promise.all(Array.from({ length: processes }, (_, at) => crew.start(at + 1)));
    const begun = performance.now();
    const dispatcher = buildDispatcher(hub, rule);
    const feeding = new ConcurrentPipeline(
      from(range(0, items)).map((id) => ({ id, customer: id % CUSTOMERS })),
      dispatcher.createSink(),
    )
      .bufferSize(20_000)
      .run();
    await Promise.all([feeding, finished]);
    const seconds = (performance.now() - begun) / 1000;
    for (const { number } of crew.workers) {
      const count = ledger.counts.get(number) ?? 0;
      say(`  process ${number}   ${whole(count).padStart(11)} items   ${percent(count / wanted)}`);
    }
    const { lost, doubled, outOfOrder } = ledger.prove();
    const order = rule === 'partition' ? `, ${whole(outOfOrder)} out of order` : '';
    say(`${whole(lost)} lost, ${whole(doubled)} doubled${order}`);
    say(`${whole(Math.round(wanted / seconds))} items/s, ${seconds.toFixed(1)} s`);
    const isOrdered = rule !== 'partition' || outOfOrder === 0;
    return lost === 0 && (doubled === 0 || kill) && isOrdered;
  } finally {
    clearTimeout(silence);
    await crew.stop();
    await admin.deleteTopics({ topics: [hub.topic] });
    await admin.disconnect();
  }
}

function whole(value: number): string {
  return value.toLocaleString('en');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0).padStart(3)} %`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const args = readArguments(process.argv.slice(2), process.env);
    if (args === undefined) console.log(USAGE);
    else if (!(await run(args, (line) => console.log(line)))) process.exitCode = 1;
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
