/**
 * Kafka to Kafka exactly once, and Kafka to a file at least once, while the process is killed with SIGKILL again and again, and
 * the broker as well, each time while records are in flight.
 *
 * A few kills with every run of the tests; `pnpm crash:kafka` makes 45 of each process and 7 of the broker.
 */

import { collect, ConcurrentPipeline } from '@streamweld/core';
import { Random } from '@streamweld/testing';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildProgram, type Run } from '../../../../tools/services/program.ts';
import type { KafkaRecord } from '../../src/record.ts';
import { KafkaSource } from '../../src/source.ts';
import { type Brokers, describeWithKafka } from '../service.ts';
import { drainAtTheEnd } from './at-the-end.ts';
import { kill, type Kills } from './killing.ts';
import { isInFlight, type Progress, progressOf, until } from './progress.ts';

const EFFORT = Number(process.env['STREAMWELD_CRASH_EFFORT'] ?? 0);
const AIMS = EFFORT > 0 ? { process: 45, broker: 7 } : { process: 3, broker: 1 };
const TIMES = `${AIMS.process} times and the broker ${AIMS.broker} times`;
const PARTITIONS = 3;
const RECORDS = 15_000;

const TIMEOUT = EFFORT > 0 ? 1_800_000 : 240_000;

const folder = mkdtempSync(join(tmpdir(), 'streamweld-kafka-crash-'));
const seed = Number(process.env['STREAMWELD_SEED'] ?? Date.now() % 1_000_000);
const random = new Random(seed);
beforeAll(() => console.log(`seed ${seed}`));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Each time another of them. */
function oneOf(brokers: Brokers): { crash(): Promise<void>; restart(): Promise<void> } {
  const { service } = brokers;
  let broker = 1;
  return {
    crash: () => {
      broker = random.integer(1, brokers.brokers.length);
      return service.crash(broker);
    },
    restart: () => service.restart(broker),
  };
}

function killing(brokers: Brokers, input: string, start: () => Run): Promise<Kills> {
  return kill({ aims: AIMS, random, service: oneOf(brokers), start, more: () => add(brokers, input) });
}

/**
 * A broker that is alone, and is killed between the moment at which it has promised to commit a transaction and the one at
 * which it has told the partitions, takes them for deleted when it comes back, and forgets the promise: a defect of Kafka
 * 4.4 that nobody can make up for who writes. Where a topic has replicas, another broker keeps it.
 */
describeWithKafka(
  'kill -9, exactly once',
  (brokers) => {
    it(`copies each record once, in order, while it is killed ${TIMES}`, { timeout: TIMEOUT }, async () => {
      const copy = await buildProgram(join(import.meta.dirname, 'copy.ts'), folder);
      const replicated = { partitions: PARTITIONS, copies: 3, config: { 'min.insync.replicas': '2' } };
      const [input, output] = [await brokers().topic(replicated), await brokers().topic(replicated)];
      await add(brokers(), input);
      const kills = await killing(brokers(), input, () => copy(brokers().brokers.join(','), input, output));
      const given = (await brokers().values(input)) as string[];
      const copied = await readBack(brokers(), output);
      const all = await readBack(brokers(), output, true);
      report('exactly once', kills, given, copied);
      console.log(`${all.length - copied.length} records of transactions that were aborted are not seen`);
      expect(differences(given, copied)).toEqual({ lost: [], twice: [], unknown: [], disordered: [] });
      expect(kills.broker).toBeGreaterThanOrEqual(AIMS.broker);
      expect(kills.process).toBeGreaterThanOrEqual(AIMS.process);
      // It was killed in the midst of transactions, and not between them.
      if (EFFORT > 0) expect(all.length).toBeGreaterThan(copied.length);
    });

    it('62 fences a process that stood still for longer than its session: what it had in hand is not there twice', {
      timeout: 120_000,
    }, async () => {
      const copy = await buildProgram(join(import.meta.dirname, 'copy.ts'), folder);
      const replicated = { partitions: PARTITIONS, copies: 3, config: { 'min.insync.replicas': '2' } };
      const [input, output] = [await brokers().topic(replicated), await brokers().topic(replicated)];
      const start = () => copy(brokers().brokers.join(','), input, output);
      for (let round = 0; round < 3; round += 1) await add(brokers(), input);
      const zombie = start();
      await until(zombie, isInFlight);
      zombie.child.kill('SIGSTOP');
      const heir = start();
      try {
        // It has taken over each of the partitions.
        expect(await until(heir, ({ written }) => written >= 1000 * PARTITIONS)).toBeDefined();
        expect(isInFlight(progressOf(zombie) as Progress)).toBe(true);
      } finally {
        zombie.child.kill('SIGCONT');
      }
      const [code] = await zombie.exited;
      expect([code, zombie.output()]).toEqual([1, expect.stringContaining('SW_CHECKPOINT_FENCED')]);
      const [heirCode] = await heir.exited;
      expect([heirCode, heir.output()]).toEqual([0, expect.stringContaining('done')]);
      const given = (await brokers().values(input)) as string[];
      const copied = await readBack(brokers(), output);
      expect(differences(given, copied)).toEqual({ lost: [], twice: [], unknown: [], disordered: [] });
    });
  },
  { from: ['java'], brokers: 3 },
);

describeWithKafka(
  'kill -9, at least once',
  (brokers) => {
    it(`writes each record into a file while it is killed ${TIMES}`, { timeout: TIMEOUT }, async () => {
      const toFile = await buildProgram(join(import.meta.dirname, 'to-file.ts'), folder);
      const input = await brokers().topic({ partitions: PARTITIONS });
      await add(brokers(), input);
      const path = join(folder, 'lines.txt');
      const kills = await killing(brokers(), input, () =>
        toFile(
          brokers().brokers.join(','),
          input,
          'to-file',
          path,
          // What is in the file before it is committed comes again; what is gathered until then is only in memory.
          random.pick(['batch', 'close'] as const),
        ),
      );
      const lines = readFileSync(path, 'utf8').split('\n');
      expect(lines.pop()).toBe('');
      const given = (await brokers().values(input)) as string[];
      const found = differences(given, lines);
      report('at least once', kills, given, lines);
      expect(found).toEqual({ lost: [], twice: found.twice, unknown: [], disordered: [] });
      expect(kills.broker).toBeGreaterThanOrEqual(AIMS.broker);
      expect(kills.process).toBeGreaterThanOrEqual(AIMS.process);
    });
  },
  { from: ['docker', 'java'] },
);

interface Differences {
  readonly lost: string[];
  readonly twice: string[];
  readonly unknown: string[];
  /** What comes, for the first time, behind what was given after it in its partition. */
  readonly disordered: string[];
}

/** What is wrong with what was written, as far as anything is; values begin with their partition. */
function differences(given: readonly string[], written: readonly string[]): Differences {
  const places = new Map(given.map((value, place) => [value, place]));
  const seen = new Set<string>();
  const twice: string[] = [];
  const unknown: string[] = [];
  const disordered: string[] = [];
  const last = new Map<string, number>();
  for (const value of written) {
    const place = places.get(value);
    if (place === undefined) unknown.push(value);
    else if (seen.has(value)) twice.push(value);
    else {
      const [partition] = value.split(':') as [string];
      if (place < (last.get(partition) ?? -1)) disordered.push(value);
      last.set(partition, place);
    }
    seen.add(value);
  }
  return { lost: given.filter((value) => !seen.has(value)), twice, unknown, disordered };
}

function report(what: string, kills: Kills, given: readonly string[], written: readonly string[]): void {
  const { process, broker, survived, other, failed } = kills;
  const { lost, twice } = differences(given, written);
  console.log(
    [
      `${what}: ${process} kills of the process and ${broker} of the broker with records in flight`,
      `${survived} times it went on by itself when the broker was back, ${failed} runs failed while it was away`,
      `${other} more kills with nothing in flight`,
      `${given.length} records, ${lost.length} lost, ${twice.length} written again`,
    ].join('; '),
  );
}

/** Not read by bare kafkajs, which takes what was aborted for committed where several transactions lie in one fetch. */
async function readBack(brokers: Brokers, topic: string, readUncommitted = false): Promise<string[]> {
  const records = collect<KafkaRecord>();
  const source = new KafkaSource({
    brokers: brokers.brokers,
    topics: topic,
    groupId: `reader-of-${topic}-${readUncommitted}`,
    readUncommitted,
  });
  const pipeline = new ConcurrentPipeline(source, records).bufferSize(10_000);
  drainAtTheEnd(source, pipeline);
  await pipeline.run();
  return records.items
    .toSorted((a, b) => a.partition - b.partition || Number(BigInt(a.offset) - BigInt(b.offset)))
    .map(({ value }) => String(Buffer.from(value ?? [])));
}

let sent = 0;

async function add(brokers: Brokers, topic: string): Promise<void> {
  const producer = brokers.kafka().producer();
  await producer.connect();
  for (let from = 0; from < RECORDS; from += 1000) {
    const messages = Array.from({ length: 1000 }, () => {
      const partition = sent % PARTITIONS;
      return { partition, value: `${partition}:${sent++}` };
    });
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
}
