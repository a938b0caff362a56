/**
 * What Kafka's own tools reach on the same broker, `ProducerPerformance` and `ConsumerPerformance`: they send and receive bytes
 * that are made once, each in a JVM of its own, and show what there is to reach.
 */

import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { KAFKA_VERSION } from '../../../tools/services/kafka-engine.ts';
import { mavenJars } from '../../../tools/services/maven.ts';

export interface JavaTools {
  /** Records a second. The topic is there. */
  produce(topic: string, records: number, bytes: number): Promise<number>;
  /** Records a second, from the first fetch to the last. */
  consume(topic: string, records: number): Promise<number>;
}

const run = promisify(execFile);

export async function findJavaTools(brokers: readonly string[]): Promise<JavaTools> {
  const jars = await mavenJars(`kafka-tools-${KAFKA_VERSION}`, [
    { group: 'org.apache.kafka', artifact: 'kafka-tools', version: KAFKA_VERSION },
  ]);
  const start = async (tool: string, args: readonly string[]): Promise<string> => {
    const { stdout } = await run('java', [
      ...['-Xmx256m', '-cp', path.join(jars, '*'), `org.apache.kafka.tools.${tool}`],
      ...args,
    ]);
    return stdout;
  };
  const bootstrap = ['--bootstrap-server', brokers.join(',')];
  return {
    async produce(topic, records, bytes) {
      const told = await start('ProducerPerformance', [
        ...bootstrap,
        ...['--topic', topic, '--num-records', String(records), '--record-size', String(bytes)],
        ...['--throughput', '-1', '--command-property', 'acks=all', 'enable.idempotence=true'],
      ]);
      return numberIn(told, /records sent, ([\d.]+) records\/sec(?![\s\S]*records sent)/);
    },
    async consume(topic, records) {
      const told = await start('ConsumerPerformance', [
        ...bootstrap,
        ...['--topic', topic, '--num-records', String(records), '--hide-header', '--timeout', '60000'],
      ]);
      // start, end, MB, MB/s, records, records/s, ms of the rebalance, ms of fetching, MB/s and records/s of fetching
      return numberIn(told, /([\d.]+)\s*$/);
    },
  };
}

function numberIn(told: string, pattern: RegExp): number {
  const found = Number(pattern.exec(told)?.[1]);
  if (!(found > 0)) throw new Error(`A tool of Kafka's told nothing that is understood here:\n${told}`);
  return found;
}
