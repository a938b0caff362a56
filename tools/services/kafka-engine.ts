/** Of the broker: its jars and its image. */
export const KAFKA_VERSION = '4.4.0';

/** What runs a broker: a process of this machine, or a container. */
export interface KafkaEngine {
  /** Begins to run it, on the data of before if there are any. Whether it answers is for others to see. */
  start(): Promise<void>;
  /** The end of its log, once it has ended without having been asked to. */
  failure(): string | undefined;
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Removes whatever is left of it. It does not run. */
  remove(): Promise<void>;
}

/** One of the ways to run brokers, which can be had here. */
export interface KafkaEngines {
  /** The address that listeners bind. */
  readonly host: string;
  open(setup: KafkaSetup): KafkaEngine;
}

export interface KafkaSetup {
  /** Of `server.properties`, but for where the data lie. */
  readonly properties: Readonly<Record<string, string>>;
  /** Arguments of the command that formats the folder of the data, beside those that say where it is. */
  readonly format: readonly string[];
  /** The listeners that are reached from outside. */
  readonly ports: readonly number[];
  /** Flags of the JVM. */
  readonly jvm: readonly string[];
}

export function propertiesText(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
    .join('');
}
