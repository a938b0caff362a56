/** A broker as a JVM of this machine, from jars that Maven fetches once. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Afterwards, run } from './command.ts';
import {
  KAFKA_VERSION,
  type KafkaEngine,
  type KafkaEngines,
  type KafkaSetup,
  propertiesText,
} from './kafka-engine.ts';
import { mavenJars } from './maven.ts';

const JARS = [
  { group: 'org.apache.kafka', artifact: 'kafka_2.13', version: KAFKA_VERSION },
  // For the slf4j that this Kafka brings.
  { group: 'org.slf4j', artifact: 'slf4j-simple', version: '1.7.36' },
];

/** @throws Error that says why there can be none here. */
export async function findJava(): Promise<KafkaEngines> {
  const home = process.env['JAVA_HOME'];
  const java = home === undefined || home === '' ? 'java' : path.join(home, 'bin', 'java');
  await run(java, ['-version']);
  const jars = await mavenJars(`kafka-${KAFKA_VERSION}`, JARS);
  return { host: '127.0.0.1', open: (setup) => new JavaEngine(java, jars, setup) };
}

class JavaEngine implements KafkaEngine {
  readonly #java: string;
  readonly #args: readonly string[];
  readonly #format: readonly string[];
  readonly #folder = fs.mkdtempSync(path.join(os.tmpdir(), 'streamweld-kafka-'));
  readonly #properties = path.join(this.#folder, 'server.properties');
  readonly #log = path.join(this.#folder, 'log');
  readonly #afterwards = new Afterwards(
    '[ -z "$last" ] || kill -9 "$last"; sleep 1; rm -rf "$1"',
    this.#folder,
  );
  // Nothing of the caller's environment reaches the broker.
  readonly #env = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
  #isFormatted = false;
  #broker: ChildProcess | undefined;

  constructor(java: string, jars: string, setup: KafkaSetup) {
    this.#java = java;
    this.#format = setup.format;
    this.#args = [
      ...['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dorg.slf4j.simpleLogger.showDateTime=true'],
      ...setup.jvm,
      ...['-cp', path.join(jars, '*')],
    ];
    fs.writeFileSync(
      this.#properties,
      propertiesText({ ...setup.properties, 'log.dirs': path.join(this.#folder, 'data') }),
    );
  }

  async start(): Promise<void> {
    if (!this.#isFormatted) {
      await run(
        this.#java,
        [...this.#args, 'kafka.tools.StorageTool', 'format', '-c', this.#properties, ...this.#format],
        this.#env,
      );
      this.#isFormatted = true;
    }
    const output = fs.openSync(this.#log, 'a');
    const broker = spawn(this.#java, [...this.#args, 'kafka.Kafka', this.#properties], {
      cwd: this.#folder,
      env: this.#env,
      stdio: ['ignore', output, output],
    });
    fs.closeSync(output);
    this.#broker = broker;
    this.#afterwards.tell(String(broker.pid));
    // Its number may be another's from then on.
    broker.once('exit', () => this.#afterwards.tell(''));
  }

  failure(): string | undefined {
    const broker = this.#broker;
    if (broker === undefined || (broker.exitCode === null && broker.signalCode === null)) return undefined;
    return fs.readFileSync(this.#log, 'utf8').slice(-1200);
  }

  async kill(): Promise<void> {
    const broker = this.#broker;
    this.#broker = undefined;
    if (broker === undefined || broker.exitCode !== null || broker.signalCode !== null) return;
    const exited = once(broker, 'exit');
    broker.kill('SIGKILL');
    await exited;
  }

  freeze(): void {
    this.#broker?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#broker?.kill('SIGCONT');
  }

  async remove(): Promise<void> {
    this.#afterwards.cancel();
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }
}
