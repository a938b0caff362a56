/** A real client whose consumers can be lost, and be kept from joining. */

import type { ConsumerHandlers, KafkaClient, KafkaConsumer } from '../src/client.ts';

export interface HeldClient {
  readonly client: KafkaClient;
  /** How many consumers are open. */
  readonly open: number;
  /** How often it was asked which topics there are. */
  readonly looks: number;
  /** Whether a consumer waits to join. */
  readonly isHeld: boolean;
  /** The next consumers wait before they join, until `letGo`. */
  holdNext(): void;
  letGo(): void;
  /** Ends the consumer that joined last. */
  lose(error: unknown): void;
}

export function holdClient(inner: KafkaClient): HeldClient {
  let handlers: ConsumerHandlers | undefined;
  let gate: Promise<void> | undefined;
  const held = {
    open: 0,
    looks: 0,
    isHeld: false,
    letGo: (): void => {},
    holdNext(): void {
      gate = new Promise((resolve) => {
        held.letGo = () => {
          gate = undefined;
          resolve();
        };
      });
    },
    lose(error: unknown): void {
      handlers?.onEnd(error);
    },
    client: {
      createProducer: (options) => inner.createProducer(options),
      createAdmin() {
        const admin = inner.createAdmin();
        const topics = admin.topics.bind(admin);
        admin.topics = async () => {
          const found = await topics();
          held.looks += 1;
          return found;
        };
        return admin;
      },
      createConsumer(options): KafkaConsumer {
        const consumer = inner.createConsumer(options);
        const [start, close] = [consumer.start.bind(consumer), consumer.close.bind(consumer)];
        let isOpen = false;
        consumer.start = async (topics, own) => {
          handlers = own;
          isOpen = true;
          held.open += 1;
          held.isHeld = gate !== undefined;
          await gate;
          await start(topics, own);
        };
        consumer.close = async () => {
          await close();
          if (isOpen) held.open -= 1;
          isOpen = false;
        };
        return consumer;
      },
    } satisfies KafkaClient,
  };
  return held;
}
