import type { AppProcess } from '@streamweld/app-kit/test';
import { afterEach, describe, expect, it } from 'vitest';
import { expectRefused, startApp, TIMEOUT } from './started.ts';

let app: AppProcess | undefined;
afterEach(() => app?.kill());
const start = (args: readonly string[], env?: NodeJS.ProcessEnv) => (app = startApp(args, env));

/** What is not looked at before Kafka is. */
const elsewhere = {
  STREAMWELD_REDIS_URL: 'redis://127.0.0.1:1',
  STREAMWELD_POSTGRES_URL: 'postgres://127.0.0.1:1/x',
};

describe('what event-streaming cannot do', () => {
  it('is answered with what is expected, as is --help', { timeout: TIMEOUT }, async () => {
    const wrong = await start(['--redis', 'http://planted:6379']).ended;
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain(
      '--redis: expected a URL, redis://:password@host:6379, got something else.',
    );
    expect(wrong.stderr).toContain('--events N');
    expect(wrong.stderr).not.toContain('planted');
    const help = await start(['--help']).ended;
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('--kill WHO')]);
  });

  it('is said where brokers are not there', { timeout: TIMEOUT }, () =>
    expectRefused(
      start(['--brokers', '127.0.0.1:1'], elsewhere),
      /^EVENTS_KAFKA_UNAVAILABLE: The Kafka at 127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED.* leave --brokers/,
    ),
  );

  it('is said where no Kafka is given, and none can be started', { timeout: TIMEOUT }, async () => {
    await expectRefused(
      start([], { ...elsewhere, PATH: '/nowhere', JAVA_HOME: '/nowhere' }),
      /^EVENTS_KAFKA_UNAVAILABLE: There is no Kafka: docker: .*; java: .*install Java 17 and Maven, or Docker/,
    );
  });
});
