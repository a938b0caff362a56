/** What options are refused, before anything is connected to, and that no secret is shown when they are. */

import { inspect } from 'node:util';
import { OptionError } from '@streamweld/core/connector';
import { Kafka } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { KafkaSink } from '../src/sink.ts';
import type { KafkaSinkOptions } from '../src/sink-options.ts';

const SECRET = 'h1dden-p4ssword';

function refusal(options: object): OptionError {
  try {
    void new KafkaSink(options as KafkaSinkOptions<unknown>);
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError);
    expect(inspect(error, { depth: 9 })).not.toContain(SECRET);
    return error as OptionError;
  }
  throw new Error('They were taken.');
}

describe('KafkaSink options', () => {
  const good = { brokers: 'a:1', topic: 't' };
  it.each([
    ['brokers', { topic: 't' }],
    ['brokers', { ...good, brokers: '' }],
    ['brokers', { ...good, brokers: [] }],
    ['brokers', { ...good, brokers: 5 }],
    ['brokers', { ...good, brokers: ['a:1', ''] }],
    ['brokers', { ...good, brokers: 'a:0' }],
    ['brokers', { ...good, brokers: 'a:65536' }],
    ['brokers', { ...good, brokers: '[::1]:9092' }],
    ['brokers', { ...good, brokers: `kafka://user:${SECRET}@host:9092` }],
    ['brokers', { ...good, brokers: `user:${SECRET}@host` }],
    ['brokers', { ...good, client: new Kafka({ brokers: ['a:1'] }) }],
    ['client', { topic: 't', client: `a:1,${SECRET}` }],
    ['client', { topic: 't', client: { producer: () => {} } }],
    ['client', { topic: 't', client: new Kafka({ brokers: ['a:1'] }), ssl: true }],
    ['ssl', { ...good, ssl: SECRET }],
    ['sasl.mechanism', { ...good, sasl: { mechanism: 'none', username: 'a', password: SECRET } }],
    ['sasl.username', { ...good, sasl: { mechanism: 'plain', password: SECRET } }],
    ['sasl.password', { ...good, sasl: { mechanism: 'plain', username: 'a', password: [SECRET] } }],
    ['sasl.token', { ...good, sasl: { mechanism: 'oauthbearer', token: SECRET } }],
    ['sasl.passwort', { ...good, sasl: { mechanism: 'plain', username: 'a', passwort: SECRET } }],
    ['KafkaSink options.password', { ...good, password: SECRET }],
    ['clientId', { ...good, clientId: '' }],
    ['connectTimeoutMs', { ...good, connectTimeoutMs: 0 }],
    ['requestTimeoutMs', { ...good, requestTimeoutMs: -1 }],
    ['name', { ...good, name: 5 }],
    ['topic', { brokers: 'a:1' }],
    ['topic', { ...good, topic: '' }],
    ['key', { ...good, key: 'id' }],
    ['value', { ...good, value: 'json' }],
    ['headers', { ...good, headers: {} }],
    ['partition', { ...good, partition: 3 }],
    ['timestamp', { ...good, timestamp: 0 }],
    ['compression', { ...good, compression: 'brotli' }],
    ['acks', { ...good, acks: -1 }],
    ['idempotent', { ...good, acks: 'leader', idempotent: true }],
    ['idempotent', { ...good, transactionalId: 'x', idempotent: false }],
    ['transactionalId', { ...good, transactionalId: '' }],
    ['transactionalId', { ...good, transactionalId: 'x', writers: 2 }],
    ['transactionTimeoutMs', { ...good, transactionTimeoutMs: 0 }],
    ['maxBatchBytes', { ...good, maxBatchBytes: 0 }],
    ['batching.maxItems', { ...good, batching: { maxItems: 0 } }],
    ['batching.lingerMs', { ...good, batching: { lingerMs: -1 } }],
    ['writers', { ...good, writers: 0 }],
    ['deliveryTimeoutMs', { ...good, deliveryTimeoutMs: 0 }],
  ])('refuses %s of %j', (option, options) => {
    expect(refusal(options).option).toBe(option);
  });

  it('takes brokers as a list or a text, with the usual port where there is none', () => {
    for (const brokers of ['a', 'a:9093, b.example:9094', ['a:1', 'b']]) {
      expect(new KafkaSink({ brokers, topic: 't' }).name).toBe('kafka t');
    }
  });

  it('shows no secret when a sink is looked at', () => {
    const sink = new KafkaSink({
      brokers: 'a:1',
      topic: 't',
      ssl: { key: SECRET, passphrase: SECRET },
      sasl: { mechanism: 'plain', username: 'alice', password: SECRET },
    });
    expect(inspect(sink, { depth: 20, showHidden: true })).not.toContain(SECRET);
    expect(JSON.stringify(sink)).not.toContain(SECRET);
  });
});
