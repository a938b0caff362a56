/** The program as a user starts it: its processes, with a real Kafka. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { findKafka, KafkaUnavailable } from '../../../tools/services/kafka.ts';
import { readArguments } from '../src/arguments.ts';
import { Ledger } from '../src/ledger.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

interface Ended {
  readonly code: number;
  readonly output: string;
}

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const { STREAMWELD_KAFKA_BROKERS: _, ...inherited } = process.env;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--conditions=@streamweld/source', '--import', 'tsx', MAIN, ...args],
      { env: { ...inherited, ...env } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : 1, output: stdout + stderr }),
    );
  });
}

describe('its arguments', () => {
  it.each([
    [['--rule', 'random'], 'one of broadcast, demand, partition, not "random"'],
    [['--processes', '0'], 'from 1 to 64, not "0"'],
    [['--items', 'many'], 'not "many"'],
    [['--kill', '--processes', '1'], 'at least two processes'],
    [['--kill', '--rule', 'broadcast'], 'others take over'],
  ])('%s', (args, message) => {
    expect(() => readArguments(['--brokers', 'here:1', ...args], {})).toThrow(message);
  });

  it('name where Kafka is, or ask for it', async () => {
    const { code, output } = await start([]);
    expect([code, output]).toEqual([1, expect.stringContaining('STREAMWELD_KAFKA_BROKERS')]);
    expect((await start(['--help'])).output).toContain('--processes N');
  });
});

describe('its ledger', () => {
  it('tells what was lost, done twice, or done before something earlier of the same customer, elsewhere too', () => {
    const ledger = new Ledger(3000, 1);
    ledger.note(1, [0, 1000], 1);
    ledger.note(2, [1000, 2000], 3);
    ledger.note(2, [1, 2001], 4);
    ledger.note(1, [1001], 5);
    expect(ledger.prove()).toEqual({ lost: 3000 - 6, doubled: 1, outOfOrder: 1 });
    expect(ledger.isComplete).toBe(false);
  });

  it('asks each process for all of a broadcast', () => {
    const ledger = new Ledger(2, 2);
    ledger.note(1, [0, 1], 1);
    ledger.note(2, [0, 0], 1);
    expect(ledger.prove()).toEqual({ lost: 1, doubled: 1, outOfOrder: 0 });
    ledger.note(2, [1], 2);
    expect(ledger.isComplete).toBe(true);
  });
});

describe('many processes', async () => {
  const kafka = await findKafka();
  if (kafka instanceof KafkaUnavailable) {
    console.warn(`Skipped: many processes. ${kafka.message}`);
    it.skip(kafka.message, () => {});
    return;
  }
  afterAll(() => kafka.stop());
  const env = { STREAMWELD_KAFKA_BROKERS: kafka.brokers.join(',') };

  it.each([
    ['partition', 3, '0 lost, 0 doubled, 0 out of order'],
    ['demand', 2, '0 lost, 0 doubled'],
    ['broadcast', 2, '0 lost, 0 doubled'],
  ])('share by the rule %s', { timeout: 90_000 }, async (rule, processes, proof) => {
    const { code, output } = await start(
      ['--rule', rule, '--processes', `${processes}`, '--items', '20000', '--work', '10'],
      env,
    );
    expect([code, output]).toEqual([0, expect.stringContaining(proof)]);
    const shares = [...output.matchAll(/process \d +([\d,]+) items/g)].map(([, count]) =>
      Number(count?.replaceAll(',', '')),
    );
    expect(shares).toHaveLength(processes);
    if (rule === 'broadcast') expect(shares).toEqual([20_000, 20_000]);
    else expect(shares.every((share) => share > 0)).toBe(true);
  });

  it('lose nothing where one of them is killed', { timeout: 90_000 }, async () => {
    const { code, output } = await start(['--kill', '--processes', '2', '--items', '20000'], env);
    // What was done twice counts when it was done first: order holds also where partitions move.
    expect([code, output]).toEqual([
      0,
      expect.stringMatching(/process 1 was killed[\s\S]*0 lost, [\d,]+ doubled, 0 out of order/),
    ]);
  });
});
