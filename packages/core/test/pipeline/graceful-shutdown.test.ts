import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  ConcurrentPipeline,
  generate,
  GracefulShutdown,
  type GracefulShutdownOptions,
  type StreamWeldError,
} from '../../src/index.ts';

const PROGRAM = fileURLToPath(new URL('../children/graceful-shutdown.ts', import.meta.url));
const programs: ChildProcess[] = [];
afterEach(() => {
  for (const program of programs.splice(0)) program.kill('SIGKILL');
});

/** @returns what it came to when it was sent the signals: each when it has told that it is ready for it */
async function ran(args: readonly string[], ...signals: readonly NodeJS.Signals[]) {
  const program = spawn(process.execPath, ['--import', 'tsx', PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  programs.push(program);
  const ended = once(program, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const lines: string[] = [];
  const said: string[] = [];
  let next = 0;
  const send = (): void => {
    const signal = signals[next++];
    if (signal !== undefined) program.kill(signal);
  };
  createInterface(program.stdout).on('line', (line) => {
    if (line === 'running') send();
    else lines.push(line);
  });
  createInterface(program.stderr).on('line', (line) => {
    said.push(line);
    if (line.startsWith('Stopping')) send();
  });
  const [code, signal] = await ended;
  return { code, signal, said, told: lines.map((line) => JSON.parse(line) as unknown) };
}

const stopping = 'Stopping: what is on its way is finished. Ctrl-C again aborts.';

describe('GracefulShutdown, of a process', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('drains at the first %s, and says so on stderr', async (signal) => {
    expect(await ran(['drain'], signal)).toEqual({
      code: 0,
      signal: null,
      said: [stopping],
      told: [{ outcome: 'drained', isAllWritten: true }],
    });
  });

  it.each([
    ['SIGINT', 'SIGINT'],
    ['SIGINT', 'SIGTERM'],
    ['SIGTERM', 'SIGINT'],
  ] as const)('aborts at the second: %s, then %s', async (first, second) => {
    expect(await ran(['stuck'], first, second)).toEqual({
      code: 130,
      signal: null,
      said: [stopping],
      told: [
        {
          code: 'SW_PROGRAM_INTERRUPTED',
          message: 'Aborted by a second Ctrl-C: what was not finished is not there.',
        },
      ],
    });
  });

  it('drains at once what begins after the first', async () => {
    expect(await ran(['slow'], 'SIGINT')).toMatchObject({ code: 0, told: [{ outcome: 'drained' }] });
  });

  it('is ended by the third, as by any signal', async () => {
    const program = spawn(process.execPath, ['--import', 'tsx', PROGRAM, 'hang'], { stdio: 'pipe' });
    programs.push(program);
    const ended = once(program, 'close');
    await once(program.stdout, 'data');
    program.kill('SIGINT');
    await once(program.stderr, 'data');
    // It may take the second and the third for one, as long as it has not heard of the second.
    const again = setInterval(() => program.kill('SIGINT'), 20);
    expect(await ended).toEqual([null, 'SIGINT']);
    clearInterval(again);
  });

  it('hears the signals that it is given, and no others', async () => {
    expect(await ran(['drain', 'SIGUSR2'], 'SIGUSR2')).toMatchObject({ code: 0, said: [stopping] });
    expect(await ran(['drain', 'SIGUSR2'], 'SIGINT')).toMatchObject({ signal: 'SIGINT', said: [] });
  });

  it('leaves signals alone once it is disposed of', async () => {
    expect(await ran(['disposed'], 'SIGTERM')).toMatchObject({ signal: 'SIGTERM', said: [], told: [] });
  });
});

const listening = () => process.listenerCount('SIGINT') + process.listenerCount('SIGTERM');

/** Without what it says. */
function newShutdown(options?: GracefulShutdownOptions): GracefulShutdown {
  return new GracefulShutdown({ say: () => {}, ...options });
}

/** What runs until it is drained or aborted. */
function task() {
  let end: () => void = () => {};
  let fail: (error: Error) => void = () => {};
  const ended = new Promise<string>((resolve, reject) => {
    end = () => resolve('ended');
    fail = reject;
  });
  return { ended, end, fail };
}

describe('GracefulShutdown', () => {
  it('listens until it is disposed of, and not at all before it is made', () => {
    const before = listening();
    {
      using _shutdown = newShutdown();
      expect(listening()).toBe(before + 2);
    }
    expect(listening()).toBe(before);
  });

  it('is still there for whoever hears the second signal after it, and gone in the next turn', async () => {
    const before = listening();
    using _shutdown = newShutdown();
    let seen = 0;
    const other = (): void => {
      seen = listening();
    };
    process.on('SIGTERM', other);
    try {
      process.emit('SIGTERM');
      process.emit('SIGTERM');
      expect(seen).toBe(before + 3);
      await new Promise(setImmediate);
      expect(listening()).toBe(before + 1);
    } finally {
      process.off('SIGTERM', other);
    }
  });

  it('says what it is told to say, where it is told to', async () => {
    const said: string[] = [];
    using shutdown = newShutdown({
      say: (line) => said.push(line),
      stopping: 'The file is finished.',
      aborted: 'No file.',
    });
    shutdown.stop();
    shutdown.stop();
    shutdown.stop();
    expect(said).toEqual(['The file is finished.']);
    expect(shutdown.signal.reason).toMatchObject({ code: 'SW_PROGRAM_INTERRUPTED', message: 'No file.' });
  });

  it('drains all that runs at the same time, each once', async () => {
    using shutdown = newShutdown();
    const [one, two] = [task(), task()];
    const drains = [vi.fn(one.end), vi.fn(two.end)];
    const both = Promise.all([
      shutdown.while({ drain: drains[0] as () => void }, () => one.ended),
      shutdown.while({ drain: drains[1] as () => void }, () => {
        shutdown.stop();
        return two.ended;
      }),
    ]);
    expect(await both).toEqual(['ended', 'ended']);
    for (const drain of drains) expect(drain).toHaveBeenCalledOnce();
    expect(shutdown.isWanted).toBe(true);
    expect(shutdown.signal.aborted).toBe(false);
  });

  it('drains what begins after the first, once it has begun', async () => {
    using shutdown = newShutdown();
    shutdown.stop();
    const { ended, end } = task();
    expect(await shutdown.while({ drain: end }, () => ended)).toBe('ended');
  });

  it('leaves alone what has ended', async () => {
    using shutdown = newShutdown();
    const drain = vi.fn();
    expect(await shutdown.while({ drain }, () => 5)).toBe(5);
    await expect(
      shutdown.while({ drain }, () => {
        throw new Error('of the task');
      }),
    ).rejects.toThrow('of the task');
    shutdown.stop();
    expect(drain).not.toHaveBeenCalled();
  });

  it('tells of the interruption and not of what failed for it, which is noted', async () => {
    using shutdown = newShutdown();
    const { ended, fail } = task();
    const failure = new Error('torn');
    const outcome = shutdown.while({ drain: () => {}, abort: () => fail(failure) }, () => ended);
    shutdown.stop();
    shutdown.stop();
    const error = await outcome.catch((reason: unknown) => reason as StreamWeldError);
    expect(error).toMatchObject({ code: 'SW_PROGRAM_INTERRUPTED', suppressed: [failure] });
  });

  it('aborts at once what begins after the second', async () => {
    using shutdown = newShutdown();
    shutdown.stop();
    shutdown.stop();
    const { ended, fail } = task();
    const running = { drain: () => {}, abort: () => fail(new Error('aborted')) };
    await expect(shutdown.while(running, () => ended)).rejects.toMatchObject({
      code: 'SW_PROGRAM_INTERRUPTED',
    });
    const pipeline = new ConcurrentPipeline(
      generate((n) => n),
      () => {},
    );
    await expect(shutdown.run(pipeline)).rejects.toMatchObject({ code: 'SW_PROGRAM_INTERRUPTED' });
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('no drain'))],
    [
      'throws',
      () => {
        throw new Error('no drain');
      },
    ],
  ])('tells of a drain that %s where the task ends well', async (_, drain) => {
    using shutdown = newShutdown();
    const { ended, end } = task();
    const outcome = shutdown.while({ drain }, () => ended);
    shutdown.stop();
    await Promise.resolve();
    end();
    await expect(outcome).rejects.toThrow('no drain');
  });

  it('tells of a failure of the run, also of one that a drain then finds', async () => {
    using shutdown = newShutdown();
    shutdown.stop();
    const failing = new ConcurrentPipeline(
      generate((n) => n),
      () => {
        throw new Error('full');
      },
    );
    // It may drain before it has written.
    const done = new ConcurrentPipeline([1], () => {});
    await done.run();
    await expect(shutdown.run(done)).rejects.toMatchObject({ code: 'SW_PIPELINE_STARTED' });
    using other = newShutdown();
    await expect(other.run(failing)).rejects.toMatchObject({ code: 'SW_SINK_FAILED' });
  });

  it('aborts a drain that passes its deadline', async () => {
    using shutdown = newShutdown();
    const pipeline = new ConcurrentPipeline(
      generate((n) => n),
      () => {
        shutdown.stop();
        return new Promise<void>(() => {});
      },
    ).closeMs(0);
    await expect(shutdown.run(pipeline, { deadlineMs: 1 })).rejects.toMatchObject({
      code: 'SW_DRAIN_TIMEOUT',
    });
    expect(shutdown.signal.aborted).toBe(false);
  });

  it.each([
    [{ signals: [] }, /^signals must be an array of names/],
    [{ signals: ['SIGKILL'] }, /without SIGKILL and SIGSTOP/],
    [{ signals: 'SIGINT' }, /got/],
    [{ say: 'loud' }, /^say must be a function/],
    [{ stopping: '' }, /^stopping must be/],
    [{ signal: ['SIGINT'] }, /GracefulShutdown\.signal must be one of its known options/],
  ])('refuses %o, and listens to nothing then', (options, message) => {
    const before = listening();
    expect(() => new GracefulShutdown(options as unknown as GracefulShutdownOptions)).toThrow(message);
    expect(listening()).toBe(before);
  });

  it('refuses what cannot be drained, and a task that is none', async () => {
    using shutdown = newShutdown();
    await expect(shutdown.while({} as never, () => {})).rejects.toThrow('stoppable must be');
    await expect(shutdown.while({ drain: () => {} }, 5 as never)).rejects.toThrow('task must be');
    const pipeline = new ConcurrentPipeline([1], () => {});
    await expect(shutdown.run(pipeline, { deadlineMs: -1 })).rejects.toThrow('run.deadlineMs must be');
  });

  it.each([undefined, {}, { on: () => {} }])(
    'says by a code that there is no process: it is %o',
    (process) => {
      vi.stubGlobal('process', process);
      try {
        expect(() => new GracefulShutdown()).toThrow(
          expect.objectContaining({
            code: 'SW_PROCESS_MISSING',
            message: expect.stringContaining('drain()'),
          }),
        );
      } finally {
        vi.unstubAllGlobals();
      }
    },
  );
});
