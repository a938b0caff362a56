/** The leak check: blind to what was there before, and to nothing that comes. */

import { EventEmitter } from 'node:events';
import { createReadStream, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Leak,
  LeakCheck,
  LeakError,
  useLeakCheck,
  VirtualClock,
  withLeakCheck,
} from '@streamweld/testing';

const SOON = { deadlineMs: 50 };
const { setInterval: realInterval } = globalThis;

/** More than the runner itself may have had at the beginning and lost since. */
function setSeveral(): NodeJS.Timeout[] {
  return [1, 2, 3, 4, 5].map(() => realInterval(() => {}, 1000));
}

/** What a body that leaks is told. */
async function leaksOf(
  body: (leaks: LeakCheck) => Promise<void>,
  options: ConstructorParameters<typeof LeakCheck>[0] = SOON,
): Promise<readonly Leak[]> {
  const error: unknown = await withLeakCheck(body, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LeakError);
  return (error as LeakError).leaks;
}

function listening(): Promise<Server> {
  const server = createServer();
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

describe('withLeakCheck', () => {
  it('finds nothing where nothing is left', async () => {
    await withLeakCheck(async () => {});
    await withLeakCheck(async (leaks) => {
      const { signal } = leaks.controller();
      const listener = (): void => {};
      signal.addEventListener('abort', listener);
      const server = await listening();
      const file = await open(import.meta.filename);
      const timer = setTimeout(() => {}, 60_000);
      process.on('SIGUSR2', listener);
      await Promise.reject(new Error('handled')).catch(() => {});
      process.off('SIGUSR2', listener);
      clearTimeout(timer);
      await file.close();
      server.close();
      signal.removeEventListener('abort', listener);
    });
  });

  it('waits for what is being closed', async () => {
    await withLeakCheck(async () => {
      const server = await listening();
      const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
      server.on('connection', (other) => other.on('error', () => {}).destroy());
      socket.on('close', () => server.close());
      setTimeout(() => {}, 30);
      createReadStream(import.meta.filename).resume();
    });
  });

  it('waits for turns, where the machine stood still for the whole deadline', async () => {
    await withLeakCheck(
      async () => {
        const server = await listening();
        const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
        server.on('connection', (other) => other.on('error', () => {}).destroy());
        socket.on('close', () => server.close());
      },
      { deadlineMs: 0 },
    );
  });

  it('goes by real time, where a test has left another', async () => {
    vi.useFakeTimers();
    let timers: NodeJS.Timeout[] = [];
    const leaks = await leaksOf(async () => {
      timers = setSeveral();
    }).finally(() => vi.useRealTimers());
    for (const timer of timers) clearInterval(timer);
    expect(leaks).toMatchObject([{ kind: 'handle', what: 'Timeout' }]);
  });

  it.runIf(process.platform === 'linux')(
    'knows a file that was open before, whatever becomes of its name',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'leak-check-'));
      const before = join(folder, 'before');
      const file = await open(before, 'w');
      await withLeakCheck(async () => renameSync(before, join(folder, 'after')), SOON);
      await withLeakCheck(async () => rmSync(folder, { recursive: true }), SOON);
      await file.close();
    },
  );

  it('finds a rejection that nobody handles', async () => {
    const leaks = await leaksOf(async () => {
      void Promise.reject(new Error('lost'));
      void Promise.reject(undefined);
    });
    expect(leaks).toEqual([
      { kind: 'rejection', what: 'Error: lost', count: 1 },
      { kind: 'rejection', what: 'undefined', count: 1 },
    ]);
  });

  it('lets a test take out the rejections it expects', async () => {
    await withLeakCheck(async (leaks) => {
      void Promise.reject(new Error('expected'));
      await new Promise((resolve) => setImmediate(resolve));
      expect(leaks.unhandled.splice(0)).toEqual([new Error('expected')]);
    });
  });

  it('finds a warning of too many listeners', async () => {
    const leaks = await leaksOf(async () => {
      const emitter = new EventEmitter();
      for (let i = 0; i < 11; i += 1) emitter.on('full', () => {});
    });
    expect(leaks).toMatchObject([{ kind: 'warning', count: 1 }]);
    expect(leaks[0]?.what).toContain('11 full listeners');
  });

  it('finds a server and sockets that are open, by their kind and number', async () => {
    const open: { close(): void }[] = [];
    const leaks = await leaksOf(async () => {
      const server = await listening();
      const { port } = server.address() as { port: number };
      const accepted = new Promise<void>((resolve) =>
        server.on('connection', (socket) => {
          open.push({ close: () => socket.destroy() });
          resolve();
        }),
      );
      const socket = connect(port, '127.0.0.1');
      open.push(server, { close: () => socket.destroy() });
      await accepted;
    });
    for (const each of open) each.close();
    expect(leaks).toEqual([
      { kind: 'handle', what: 'TCPServerWrap', count: 1 },
      { kind: 'handle', what: 'TCPSocketWrap', count: 2 },
    ]);
  });

  it('finds a timer', async () => {
    let timers: NodeJS.Timeout[] = [];
    const leaks = await leaksOf(async () => {
      timers = setSeveral();
    });
    for (const timer of timers) clearInterval(timer);
    expect(leaks).toMatchObject([{ kind: 'handle', what: 'Timeout' }]);
  });

  it.runIf(process.platform === 'linux')('finds a file that is open', async () => {
    const files: { close(): Promise<void> }[] = [];
    const leaks = await leaksOf(async () => {
      files.push(await open(import.meta.filename), await open(import.meta.filename));
    });
    for (const file of files) await file.close();
    expect(leaks).toEqual([{ kind: 'file', what: import.meta.filename, count: 2 }]);
  });

  it('finds listeners on process', async () => {
    const listener = (): void => {};
    const leaks = await leaksOf(async () => {
      process.on('SIGUSR2', listener);
      process.on('SIGUSR2', listener);
      process.on('unhandledRejection', listener);
    });
    for (const event of ['SIGUSR2', 'SIGUSR2', 'unhandledRejection']) process.off(event, listener);
    expect(leaks).toContainEqual({ kind: 'process listener', what: 'SIGUSR2', count: 2 });
    expect(leaks).toContainEqual({ kind: 'process listener', what: 'unhandledRejection', count: 1 });
  });

  it('finds listeners on its signals, also on one it was given', async () => {
    const given = new AbortController();
    const leaks = await leaksOf(async (check) => {
      check.watch(given.signal);
      given.signal.addEventListener('abort', () => {});
      const { signal } = check.controller();
      signal.addEventListener('abort', () => {});
      signal.addEventListener('abort', () => {});
    });
    expect(leaks).toEqual([
      { kind: 'signal listener', what: 'abort', count: 1 },
      { kind: 'signal listener', what: 'abort', count: 2 },
    ]);
  });

  it('finds timers on its clock, and no others', async () => {
    const clock = new VirtualClock();
    clock.setTimer(() => {}, 1);
    const leaks = await leaksOf(
      async () => {
        for (const ms of [10, 20]) clock.setTimer(() => {}, ms);
      },
      { clock, ...SOON },
    );
    expect(leaks).toEqual([{ kind: 'virtual timer', what: 'setTimer', count: 2 }]);
  });

  it('is not blamed for what was there before', async () => {
    const server = await listening();
    const listener = (): void => {};
    process.on('SIGUSR2', listener);
    const file = await open(import.meta.filename);
    await withLeakCheck(async () => {}, SOON);
    await file.close();
    process.off('SIGUSR2', listener);
    server.close();
  });

  it('says what was left, how much, and of which kind', async () => {
    const clock = new VirtualClock();
    await expect(
      withLeakCheck(
        async (leaks) => {
          clock.setTimer(() => {}, 1);
          leaks.controller().signal.addEventListener('abort', () => {});
        },
        { clock, ...SOON },
      ),
    ).rejects.toThrow('Left behind: 1 signal listener (abort), 1 virtual timer (setTimer).');
  });

  it('tells the failure of the body before any leak, and takes its own listeners away', async () => {
    const before = process.listenerCount('unhandledRejection');
    const failing = withLeakCheck(async (leaks) => {
      leaks.controller().signal.addEventListener('abort', () => {});
      throw new Error('the body');
    }, SOON);
    await expect(failing).rejects.toThrow('the body');
    expect(process.listenerCount('unhandledRejection')).toBe(before);
  });
});

describe('useLeakCheck', () => {
  const clock = new VirtualClock();
  const hooks: { before?: () => void | Promise<void>; after?: () => void | Promise<void> } = {};
  const leaks = useLeakCheck(
    {
      beforeEach: (hook) => {
        hooks.before = hook;
      },
      afterEach: (hook) => {
        hooks.after = hook;
      },
    },
    { clock: () => clock, ...SOON },
  );

  it('checks after each test, and begins anew before the next', async () => {
    await hooks.before?.();
    leaks.controller().signal.addEventListener('abort', () => {});
    await expect(hooks.after?.()).rejects.toThrow(LeakError);
    await hooks.before?.();
    await hooks.after?.();
  });

  const own = useLeakCheck({ beforeEach, afterEach });

  it('fits the hooks of a runner', () => {
    expect(own.unhandled).toEqual([]);
  });

  it('does not end without having begun', async () => {
    await expect(new LeakCheck().end()).rejects.toThrow('without having begun');
  });
});
