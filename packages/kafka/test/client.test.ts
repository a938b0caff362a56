/** 64: how the brokers are reached, what is said when they are not, and that no secret is in it. */

import fs from 'node:fs';
import net from 'node:net';
import { inspect } from 'node:util';
import { ConcurrentPipeline, range } from '@streamweld/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LeakCheck } from '@streamweld/testing';
import { isTransient } from '../src/errors.ts';
import { KafkaSink } from '../src/sink.ts';
import type { KafkaSinkOptions } from '../src/sink-options.ts';
import { describeWithKafka } from './service.ts';

const SECRET = 'h1dden-p4ssword';
const PASSWORD = 'in wonderland';
const certificates = `${import.meta.dirname}/../../postgres/test/certificates`;
const pem = (...names: string[]): string =>
  names.map((name) => fs.readFileSync(`${certificates}/${name}`, 'utf8')).join('');

describeWithKafka(
  '64 how brokers are reached',
  (brokers) => {
    const leaks = new LeakCheck();
    beforeEach(() => leaks.begin());
    afterEach(() => leaks.end());

    async function write(options: Omit<KafkaSinkOptions<number>, 'topic'>, topic?: string): Promise<void> {
      const sink = new KafkaSink<number>({ connectTimeoutMs: 2000, topic: topic ?? 'nowhere', ...options });
      await new ConcurrentPipeline(range(0, 3), sink).run();
    }

    /** How it fails: in good time, with a code, without a word on the console, and without the secret. */
    async function failure(
      options: Omit<KafkaSinkOptions<number>, 'topic'>,
      topic?: string,
    ): Promise<{ code: string; message: string }> {
      const words = [vi.spyOn(console, 'log'), vi.spyOn(console, 'error'), vi.spyOn(process.stdout, 'write')];
      const begun = performance.now();
      try {
        await write(options, topic);
      } catch (error) {
        expect(performance.now() - begun).toBeLessThan(10_000);
        for (const word of words) expect(word).not.toHaveBeenCalled();
        expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(SECRET);
        expect(JSON.stringify(error)).not.toContain(SECRET);
        return error as { code: string; message: string };
      } finally {
        for (const word of words) word.mockRestore();
      }
      throw new Error('It did not fail.');
    }

    it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
      'lets a user in by %s, and no other',
      async (mechanism) => {
        const topic = await brokers().topic();
        const at = brokers().service.at('sasl');
        await write({ brokers: at, sasl: { mechanism, username: 'alice', password: PASSWORD } }, topic);
        expect(await brokers().values(topic)).toEqual(['0', '1', '2']);
        const refused = await failure(
          { brokers: at, sasl: { mechanism, username: 'alice', password: SECRET } },
          topic,
        );
        expect(refused.code).toBe('SW_KAFKA_DENIED');
        expect(refused.message).toContain('Check sasl');
        expect(isTransient(refused)).toBe(false);
      },
    );

    it('tells a mechanism that the broker does not offer', async () => {
      const options = {
        brokers: brokers().service.at('sasl'),
        sasl: { mechanism: 'oauthbearer', token: () => SECRET },
      } as const;
      expect((await failure(options)).code).toBe('SW_KAFKA_DENIED');
    });

    it('tells what a token that cannot be had says nothing of', async () => {
      const token = (): never => {
        throw new Error(`no token for ${SECRET}`);
      };
      const refused = await failure({
        brokers: brokers().service.at('sasl'),
        sasl: { mechanism: 'oauthbearer', token },
      });
      expect(refused.code).toMatch(/^SW_KAFKA_/);
    });

    it('goes over TLS, and only to a broker of the authority that it is told', async () => {
      const topic = await brokers().topic();
      const at = brokers().service.at('tls');
      const localhost = at.map((each) => each.replace('127.0.0.1', 'localhost'));
      await write({ brokers: at, ssl: { ca: pem('root.pem'), servername: 'localhost' } }, topic);
      expect(await brokers().values(topic)).toEqual(['0', '1', '2']);
      expect((await failure({ brokers: localhost, ssl: true }, topic)).code).toBe('SW_KAFKA_DENIED');
      expect((await failure({ brokers: at, ssl: { ca: 'no PEM', key: SECRET } }, topic)).code).toBe(
        'SW_KAFKA_DENIED',
      );
      const elsewhere = await failure(
        { brokers: at, ssl: { ca: pem('root.pem'), servername: 'elsewhere.example' } },
        topic,
      );
      expect(elsewhere.code).toBe('SW_KAFKA_DENIED');
      expect(elsewhere.message).toContain('another host');
    });

    it('goes over TLS with a user', async () => {
      const topic = await brokers().topic();
      const sasl = { mechanism: 'plain', username: 'alice', password: PASSWORD } as const;
      await write(
        {
          brokers: brokers().service.at('saslTls'),
          ssl: { ca: pem('root.pem'), servername: 'localhost' },
          sasl,
        },
        topic,
      );
      expect(await brokers().values(topic)).toEqual(['0', '1', '2']);
    });

    it.each([
      ['TLS where there is none', 'plain', true],
      ['no TLS where it is wanted', 'tls', false],
      ['no user where one is wanted', 'sasl', false],
    ] as const)('ends in good time with %s', async (_, listener, ssl) => {
      const refused = await failure({ brokers: brokers().service.at(listener), ssl });
      expect(refused.code).toMatch(/^SW_KAFKA_(DENIED|CONNECTION_LOST|TIMEOUT|UNREACHABLE)$/);
    });

    it('tells a port where nothing listens, a name that nobody knows, and a server that is no broker', async () => {
      const closed = net.createServer();
      await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
      const { port } = closed.address() as net.AddressInfo;
      await new Promise((resolve) => closed.close(resolve));
      const refused = await failure({ brokers: `127.0.0.1:${port}` });
      expect(refused.code).toBe('SW_KAFKA_UNREACHABLE');
      expect(refused.message).toContain('nothing listens there');
      const unknown = await failure({ brokers: 'nobody.invalid:9092' });
      expect(unknown.code).toBe('SW_KAFKA_UNREACHABLE');
      const sockets = new Set<net.Socket>();
      const silent = net.createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.resume();
      });
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      const mute = await failure({ brokers: `127.0.0.1:${(silent.address() as net.AddressInfo).port}` });
      expect(mute.code).toMatch(/^SW_KAFKA_(TIMEOUT|UNREACHABLE)$/);
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => silent.close(resolve));
    });

    it('finds the one broker of a list that is there', async () => {
      const topic = await brokers().topic();
      await write({ brokers: ['127.0.0.1:1', 'nobody.invalid', ...brokers().brokers] }, topic);
      expect(await brokers().values(topic)).toEqual(['0', '1', '2']);
    });

    describe('topics', () => {
      it('tells one that is not there, and does not create it', async () => {
        const missing = await failure({ brokers: brokers().brokers }, 'not-there');
        expect(missing.code).toBe('SW_KAFKA_TOPIC_UNKNOWN');
        expect(missing.message).toContain('"not-there"');
        const admin = brokers().kafka().admin();
        await admin.connect();
        expect(await admin.listTopics()).not.toContain('not-there');
        await admin.disconnect();
      });

      it('tells a name that no topic can have', async () => {
        expect((await failure({ brokers: brokers().brokers }, 'a topic/with ß')).code).toBe(
          'SW_KAFKA_TOPIC_UNKNOWN',
        );
      });
    });
  },
  {
    from: ['docker', 'java'],
    users: { alice: PASSWORD },
    tls: { certificate: pem('server.pem', 'intermediate.pem'), key: pem('server.key') },
  },
);

describeWithKafka(
  '64 what a user may not do',
  (brokers) => {
    it('tells a topic that may not be written', async () => {
      const topic = await brokers().topic();
      const sink = new KafkaSink<number>({
        brokers: brokers().service.at('sasl'),
        sasl: { mechanism: 'plain', username: 'bob', password: SECRET },
        topic,
      });
      const failure = (await new ConcurrentPipeline(range(0, 3), sink)
        .run()
        .catch((error: unknown) => error)) as { code: string };
      expect(failure.code).toBe('SW_KAFKA_DENIED');
      expect(failure).toMatchObject({ kafkaError: 'TOPIC_AUTHORIZATION_FAILED' });
      expect(inspect(failure, { depth: 20 })).not.toContain(SECRET);
    });
  },
  {
    from: ['docker', 'java'],
    users: { bob: SECRET },
    settings: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
    },
  },
);
