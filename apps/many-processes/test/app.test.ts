/** The program as a user starts it: its processes, with a real Kafka. */

import { AppProcess } from '@streamweld/app-kit/test';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { findKafka, KafkaUnavailable } from '../../../tools/services/kafka.ts';
import { readArguments } from '../src/arguments.ts';
import { Ledger } from '../src/ledger.ts';

const main = new URL('../src/main.ts', import.meta.url);
let app: AppProcess | undefined;
afterEach(() => app?.kill());

/** @returns the app, which is ended after the test if it has not. */
function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): AppProcess {
  return (app = new AppProcess(main, args, { env }));
}

describe('its arguments', () => {
  it.each([
    [['--rule', 'random'], 'one of broadcast, demand, partition, not "random"'],
    [['--processes', '0'], 'from 1 to 64, not "0"'],
    [['--items', 'many'], 'not "many"'],
    [['--kill', '--processes', '1'], 'at least two processes'],
    [['--kill', '--rule', 'broadcast'], 'others take over'],
    [['--progress', 'fancy'], 'one of auto, tty, plain, json, none, not "fancy"'],
  ])('%s', (args, message) => {
    expect(() => readArguments(['--brokers', 'here:1', ...args], {})).toThrow(message);
  });

  it('name where Kafka is, or ask for it', async () => {
    const { code, stderr } = await start([]).ended;
    expect([code, stderr]).toEqual([2, expect.stringContaining('STREAMWELD_KAFKA_BROKERS')]);
    expect((await start(['--help']).ended).stdout).toContain('--processes N');
  });

  it('are answered where no Kafka is', async () => {
    const { code, stdout, stderr } = await start(['--brokers', '127.0.0.1:1']).ended;
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^PROCESSES_KAFKA_UNAVAILABLE: The Kafka at 127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED/,
    );
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

  it('asks for no more than came', () => {
    const ledger = new Ledger(10, 1);
    ledger.note(1, [0, 1], 1);
    ledger.cutTo(3);
    expect(ledger.prove()).toMatchObject({ lost: 1 });
    ledger.note(1, [2], 2);
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
    const args = ['--rule', rule, '--processes', `${processes}`, '--items', '20000', '--work', '10'];
    const { code, stdout, stderr } = await start(args, env).ended;
    expect([code, stdout + stderr]).toEqual([0, expect.stringContaining(proof)]);
    const shares = [...stdout.matchAll(/process \d +([\d,]+) items/g)].map(([, count]) =>
      Number(count?.replaceAll(',', '')),
    );
    expect(shares).toHaveLength(processes);
    if (rule === 'broadcast') expect(shares).toEqual([20_000, 20_000]);
    else expect(shares.every((share) => share > 0)).toBe(true);
  });

  it('lose nothing where one of them is killed', { timeout: 90_000 }, async () => {
    const ran = start(['--kill', '--processes', '2', '--items', '20000'], env);
    const { code, stdout, stderr } = await ran.ended;
    // What was done twice counts when it was done first: order holds also where partitions move.
    expect([code, stdout + stderr]).toEqual([
      0,
      expect.stringMatching(/process 1 was killed[\s\S]*0 lost, [\d,]+ doubled, 0 out of order/),
    ]);
  });

  it('do at Ctrl-C what is in the topic, and prove it', { timeout: 90_000 }, async () => {
    const running = start(['--processes', '2', '--items', '10000000', '--progress', 'json'], env);
    await running.says(/"written":[1-9]/);
    running.interrupt();
    const { code, stdout, stderr } = await running.ended;
    expect([code, stderr]).toEqual([0, expect.stringContaining('Stopping')]);
    expect(stdout).not.toContain('after 0 items');
    const [, written] = /stopped before the end, after ([\d,]+) items/.exec(stdout) ?? [];
    const shares = [...stdout.matchAll(/process \d +([\d,]+) items/g)].map(([, count]) =>
      Number(count?.replaceAll(',', '')),
    );
    expect(shares.reduce((sum, count) => sum + count, 0)).toBe(Number(written?.replaceAll(',', '')));
    expect(stdout).toContain('0 lost, 0 doubled, 0 out of order');
  });

  it('end at a second Ctrl-C, and prove nothing', { timeout: 90_000 }, async () => {
    const running = start(['--processes', '2', '--items', '10000000', '--progress', 'json'], env);
    await running.says(/"written":[1-9]/);
    running.interrupt();
    await running.says(/Stopping/);
    running.interrupt();
    const { code, stdout, stderr } = await running.ended;
    expect([code, stderr]).toEqual([130, expect.stringContaining('Aborted by a second Ctrl-C')]);
    expect(stdout).not.toContain('lost');
  });
});
