/** A broker in a container, where an engine answers. */

import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { Afterwards, run } from './command.ts';
import {
  KAFKA_VERSION,
  type KafkaEngine,
  type KafkaEngines,
  type KafkaSetup,
  propertiesText,
} from './kafka-engine.ts';

const IMAGE = `apache/kafka:${KAFKA_VERSION}`;

/** Its data are in the container, which stays when the broker is killed. `exec`, so that signals reach the JVM. */
const COMMAND = `set -e
printf %s "$STREAMWELD_PROPERTIES" > /tmp/server.properties
[ -e /tmp/data/meta.properties ] || /opt/kafka/bin/kafka-storage.sh format -c /tmp/server.properties "$@"
exec /opt/kafka/bin/kafka-server-start.sh /tmp/server.properties`;

/** @throws Error that says why there can be none here. */
export async function findDocker(brokers: number): Promise<KafkaEngines> {
  if (brokers > 1) throw new Error('containers do not reach each other on loopback, as several brokers must');
  await run('docker', ['version', '--format', '{{.Server.Version}}']);
  await run('docker', ['image', 'inspect', IMAGE]).catch(() => run('docker', ['pull', '--quiet', IMAGE]));
  return { host: '0.0.0.0', open: (setup) => new DockerEngine(setup) };
}

class DockerEngine implements KafkaEngine {
  readonly #setup: KafkaSetup;
  readonly #name = `streamweld-kafka-${randomUUID()}`;
  readonly #afterwards = new Afterwards('docker rm -f "$1"', this.#name);
  #isMade = false;

  constructor(setup: KafkaSetup) {
    this.#setup = setup;
  }

  async start(): Promise<void> {
    if (this.#isMade) {
      await run('docker', ['start', this.#name]);
      return;
    }
    const { properties, format, ports, jvm } = this.#setup;
    this.#isMade = true;
    await run('docker', [
      ...['run', '--detach', '--name', this.#name, '--entrypoint', '/bin/sh'],
      ...ports.flatMap((port) => ['--publish', `127.0.0.1:${port}:${port}`]),
      ...['--env', `STREAMWELD_PROPERTIES=${propertiesText({ ...properties, 'log.dirs': '/tmp/data' })}`],
      ...['--env', `KAFKA_HEAP_OPTS=${jvm.join(' ')}`],
      ...[IMAGE, '-c', COMMAND, 'sh', ...format],
    ]);
  }

  failure(): string | undefined {
    const state = spawnSync('docker', ['inspect', '--format', '{{.State.Running}}', this.#name]);
    if (String(state.stdout).trim() === 'true') return undefined;
    const { stdout, stderr } = spawnSync('docker', ['logs', '--tail', '20', this.#name]);
    return `${String(stdout)}${String(stderr)}`.slice(-1200);
  }

  async kill(): Promise<void> {
    // It may have ended by itself.
    await run('docker', ['kill', this.#name]).catch(() => undefined);
  }

  freeze(): void {
    this.#signal('STOP');
  }

  thaw(): void {
    this.#signal('CONT');
  }

  async remove(): Promise<void> {
    this.#afterwards.cancel();
    // It may never have come to be.
    await run('docker', ['rm', '--force', this.#name]).catch(() => undefined);
  }

  #signal(signal: 'STOP' | 'CONT'): void {
    const sent = spawnSync('docker', ['kill', '--signal', signal, this.#name], { encoding: 'utf8' });
    if (sent.status !== 0) throw new Error(`docker kill --signal ${signal}: ${sent.stderr}`);
  }
}
