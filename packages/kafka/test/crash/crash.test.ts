/**
 * Kafka to Kafka exactly once, and Kafka to a file at least once, while the process is killed with SIGKILL again and again, and
 * the broker as well.
 *
 * A few kills with every run of the tests; `pnpm crash:kafka` makes 45 of each process and 6 of the broker.
 */

import { collect, ConcurrentPipeline } from '@streamweld/core';
import { Random } from '@streamweld/testing';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildProgram, type Run } from '../../../../tools/services/program.ts';
import type { KafkaRecord } from '../../src/record.ts';
import { KafkaSource } from '../../src/source.ts';
import { type Brokers, describeWithKafka } from '../service.ts';
import { drainAtTheEnd } from './at-the-end.ts';

const EFFORT = Number(process.env['STREAMWELD_CRASH_EFFORT'] ?? 0);
const KILLS = EFFORT > 0 ? 45 : 3;
const BROKER_KILLS = EFFORT > 0 ? 3 : 1;
const PARTITIONS = 3;
const RECORDS = 15_000;
/** Of the programs: whoever was killed is missed after it. */
const SESSION_MS = 1500;

/** What a run may end with whose broker died, or was not there yet. */
const AWAY = /SW_KAFKA_(UNREACHABLE|CONNECTION_LOST|BUSY|TIMEOUT|TRANSACTION_FAILED)/;

describeWithKafka(
  'kill -9',
  (brokers) => {
    const folder = mkdtempSync(join(tmpdir(), 'streamweld-kafka-crash-'));
    const seed = Number(process.env['STREAMWELD_SEED'] ?? Date.now() % 1_000_000);
    const random = new Random(seed);
    let copy: (...args: string[]) => Run;
    let toFile: (...args: string[]) => Run;
    let input: string;

    beforeAll(async () => {
      console.log(`seed ${seed}`);
      copy = await buildProgram(join(import.meta.dirname, 'copy.ts'), folder);
      toFile = await buildProgram(join(import.meta.dirname, 'to-file.ts'), folder);
      input = await fill(brokers());
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    /** Starts it again and again until there were so many kills, and then to its end. */
    async function killing(start: () => Run): Promise<string> {
      let kills = 0;
      let brokerKills = 0;
      let wasKilled = false;
      for (;;) {
        const isLast = kills >= KILLS && brokerKills >= BROKER_KILLS;
        const run = start();
        if (!isLast) {
          // A member that was killed is missed for a while: only then is there something to be killed in.
          const waitMs = (wasKilled ? SESSION_MS : 0) + 400 + random.next() * 800;
          const until = performance.now() + waitMs;
          while (performance.now() < until && run.child.exitCode === null) await sleep(20);
          if (brokerKills < BROKER_KILLS && random.next() < 0.3) {
            await brokers().service.crash();
            await brokers().service.restart();
            brokerKills += 1;
            await Promise.race([run.exited, sleep(2000)]);
          }
          run.child.kill('SIGKILL');
        }
        const [code, signal] = await run.exited;
        wasKilled = signal === 'SIGKILL';
        if (wasKilled) kills += 1;
        else if (code !== 0) expect(run.output()).toMatch(AWAY);
        else if (isLast) return `${kills} kills of the process, ${brokerKills} of the broker`;
        // It has come to the end before it was killed: there is more to be read.
        else await add(brokers(), input);
      }
    }

    it(`copies each record once, in order, while it is killed ${KILLS} times and the broker ${BROKER_KILLS} times`, {
      timeout: EFFORT > 0 ? 1_800_000 : 240_000,
    }, async () => {
      const output = await brokers().topic({ partitions: PARTITIONS });
      console.log(await killing(() => copy(brokers().brokers.join(','), input, output)));
      const [given, copied] = [await brokers().values(input), await committed(brokers(), output)];
      expect(copied.length).toBe(given.length);
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const of = (values: readonly (string | undefined)[]) =>
          values.filter((value) => value?.startsWith(`${partition}:`) === true);
        expect(of(copied)).toEqual(of(given));
      }
    });

    it(`writes each record into a file while it is killed ${KILLS} times and the broker ${BROKER_KILLS} times`, {
      timeout: EFFORT > 0 ? 1_800_000 : 240_000,
    }, async () => {
      const path = join(folder, 'lines.txt');
      console.log(await killing(() => toFile(brokers().brokers.join(','), input, 'to-file', path)));
      const lines = readFileSync(path, 'utf8').split('\n');
      expect(lines.pop()).toBe('');
      const given = (await brokers().values(input)) as string[];
      const written = new Set(lines);
      expect(given.filter((value) => !written.has(value))).toEqual([]);
      const known = new Set(given);
      expect(lines.filter((line) => !known.has(line))).toEqual([]);
      console.log(`${lines.length - given.length} of ${lines.length} lines were written again`);
    });
  },
  { from: ['docker', 'java'] },
);

/** Not read by bare kafkajs, which takes what was aborted for committed where several transactions lie in one fetch. */
async function committed(brokers: Brokers, topic: string): Promise<string[]> {
  const records = collect<KafkaRecord>();
  const source = new KafkaSource({ brokers: brokers.brokers, topics: topic, groupId: `reader-of-${topic}` });
  const pipeline = new ConcurrentPipeline(source, records).bufferSize(10_000);
  drainAtTheEnd(source, pipeline);
  await pipeline.run();
  return records.items
    .toSorted((a, b) => a.partition - b.partition || Number(BigInt(a.offset) - BigInt(b.offset)))
    .map(({ value }) => String(Buffer.from(value ?? [])));
}

let sent = 0;

async function fill(brokers: Brokers): Promise<string> {
  const topic = await brokers.topic({ partitions: PARTITIONS });
  await add(brokers, topic);
  return topic;
}

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
