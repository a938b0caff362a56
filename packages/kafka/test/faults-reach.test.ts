/** 64: for whoever reads and whoever writes, each way of not reaching the brokers: what is told, how soon, and what is left. */

import fs from 'node:fs';
import { inspect } from 'node:util';
import { ConcurrentPipeline, from, range, type StreamWeldError } from '@streamweld/core';
import { withLeakCheck } from '@streamweld/testing';
import { describe, expect, it, vi } from 'vitest';
import type { ReachOptions } from '../src/options.ts';
import { KafkaSink } from '../src/sink.ts';
import { KafkaSource } from '../src/source.ts';
import { describeWithKafka } from './service.ts';

const PASSWORD = 'in wonderland';
const SECRET = 'h1dden-p4ssword';
const CONNECT_MS = 2000;
const certificates = `${import.meta.dirname}/../../postgres/test/certificates`;
const pem = (...names: string[]): string =>
  names.map((name) => fs.readFileSync(`${certificates}/${name}`, 'utf8')).join('');

type Listener = 'plain' | 'sasl' | 'tls' | 'saslTls';

const LOST = 'SW_KAFKA_CONNECTION_LOST';
const DENIED = 'SW_KAFKA_DENIED';

/** How a run fails, and what it says on the console. */
async function failureOf(run: () => Promise<unknown>): Promise<{ error: StreamWeldError; said: unknown[] }> {
  const said: unknown[] = [];
  const spies = [
    ...(['log', 'info', 'warn', 'error'] as const).map((level) => vi.spyOn(console, level)),
    vi.spyOn(process.stderr, 'write'),
  ];
  try {
    const error = await run().then(
      () => undefined,
      (failure: unknown) => failure,
    );
    said.push(...spies.flatMap((spy) => spy.mock.calls));
    return { error: error as StreamWeldError, said };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

describeWithKafka(
  '64 brokers that cannot be reached',
  (brokers) => {
    const at = (listener: Listener): string[] => brokers().service.at(listener);
    const ssl = { ca: pem('root.pem'), servername: 'localhost' };
    const sasl = { mechanism: 'plain', username: 'alice', password: SECRET } as const;
    /** What is looked up in DNS must not be found there. */
    const nobody = 'nobody.invalid:9092';

    describe.each([
      [
        'KafkaSource',
        (reach: ReachOptions) =>
          new ConcurrentPipeline(
            from(new KafkaSource({ ...reach, topics: 'any', groupId: 'any', connectTimeoutMs: CONNECT_MS })),
            () => {},
          ),
      ],
      [
        'KafkaSink',
        (reach: ReachOptions) =>
          new ConcurrentPipeline(
            range(0, 3),
            new KafkaSink<number>({ ...reach, topic: 'any', connectTimeoutMs: CONNECT_MS }),
          ),
      ],
    ] as const)('%s', (_name, open) => {
      it.each<[string, () => ReachOptions, string, RegExp]>([
        [
          'a host that nobody knows',
          () => ({ brokers: nobody }),
          'SW_KAFKA_UNREACHABLE',
          /host name.*(Check brokers|could not be looked up)/,
        ],
        [
          'a port where nothing listens',
          () => ({ brokers: '127.0.0.1:1' }),
          'SW_KAFKA_UNREACHABLE',
          /nothing listens there\. Is the broker running/,
        ],
        [
          'TLS where there is none',
          () => ({ brokers: at('plain'), ssl }),
          LOST,
          /speak TLS\? Else leave ssl away/,
        ],
        ['no TLS where it is wanted', () => ({ brokers: at('tls') }), LOST, /does it want TLS or SASL\?/],
        [
          'a certificate of nobody who is trusted',
          () => ({ brokers: at('tls'), ssl: true }),
          DENIED,
          /no authority that is trusted here\. Give .* as ssl\.ca/,
        ],
        ['a wrong password', () => ({ brokers: at('sasl'), sasl }), DENIED, /refused.*Check sasl/],
        ['a wrong password, over TLS', () => ({ brokers: at('saslTls'), ssl, sasl }), DENIED, /Check sasl/],
        ['no user where one is wanted', () => ({ brokers: at('sasl') }), LOST, /does it want TLS or SASL\?/],
        [
          'no user where one is wanted, over TLS',
          () => ({ brokers: at('saslTls'), ssl }),
          LOST,
          /does it want TLS or SASL\?/,
        ],
        ['a user where none is wanted', () => ({ brokers: at('plain'), sasl }), DENIED, /Check sasl/],
      ])('tells of %s', async (_, reach, code, words) => {
        await withLeakCheck(async () => {
          const begun = performance.now();
          const { error, said } = await failureOf(() => open(reach()).run());
          // To connect, and to be let in.
          expect(performance.now() - begun).toBeLessThan(2 * CONNECT_MS + 2000);
          expect(error).toMatchObject({ code, message: expect.stringMatching(words) as string });
          expect(said).toEqual([]);
          for (const text of [inspect(error, { depth: 20, showHidden: true }), JSON.stringify(error)])
            for (const secret of [SECRET, PASSWORD]) expect(text).not.toContain(secret);
        });
      });
    });
  },
  {
    from: ['docker', 'java'],
    users: { alice: PASSWORD },
    tls: { certificate: pem('server.pem', 'intermediate.pem'), key: pem('server.key') },
  },
);
