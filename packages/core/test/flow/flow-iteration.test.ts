import { describe, expect, it } from 'vitest';
import { from } from '../../src/flow/flow.ts';
import type { Source, SourceContext } from '../../src/source.ts';
import { rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { iterate, ListSource, upTo } from './instruments.ts';

useLeakCheck();

describe('Flow[Symbol.asyncIterator]', () => {
  it('asks for few items at a time, because a loop may be left at any', async () => {
    const source = new ListSource(upTo(100));
    for await (const n of from(source)) if (n === 3) break;
    expect(source.demands).toEqual([16]);
  });

  it('closes the source once, when the loop is left, when it ends and when it fails', async () => {
    const left = new ListSource(upTo(100));
    for await (const n of from(left).map((n) => n)) if (n === 20) break;
    expect(left.closes).toEqual([undefined]);
    const ended = new ListSource(upTo(100));
    await iterate(from(ended));
    expect(ended.closes).toEqual([undefined]);
    const failed = new ListSource(upTo(100));
    const error = await rejection(
      iterate(
        from(failed).tap((n) => {
          if (n === 20) throw new Error('no 20');
        }),
      ),
    );
    expect(failed.closes).toEqual([error]);
  });

  it('closes every source of several', async () => {
    const sources = [new ListSource(upTo(3)), new ListSource(upTo(3)), new ListSource(upTo(3))] as const;
    for await (const _ of from(sources[0]).merge(sources[1]).concat(sources[2])) break;
    for (const source of sources) expect(source.closes).toEqual([undefined]);
  });

  it('fails with what the source fails with, in opening, pulling and closing', async () => {
    const cause = new Error('on purpose');
    const fail = async (): Promise<never> => {
      throw cause;
    };
    for (const source of [
      { pull: () => undefined, open: fail },
      { pull: fail },
      { pull: () => undefined, close: fail },
    ]) {
      const error = (await rejection(iterate(from(source)))) as Error;
      expect(error).toMatchObject({ code: 'SW_SOURCE_FAILED', cause });
    }
  });

  it('fails with what a source tells, also where it then answers its end', async () => {
    const cause = new Error('on purpose');
    let tell: SourceContext['fail'] = () => {};
    const failing: Source<number> = {
      open: ({ fail }) => {
        tell = fail;
      },
      pull: () => {
        tell(cause);
        return undefined;
      },
    };
    expect(await rejection(iterate(from(failing)))).toMatchObject({ code: 'SW_SOURCE_FAILED', cause });
  });

  it('keeps the first failure, with the later one on it', async () => {
    const late = new Error('close');
    const source = {
      pull: () => {
        throw new Error('pull');
      },
      close: () => {
        throw late;
      },
    };
    const error = (await rejection(iterate(from(source)))) as {
      cause: Error;
      suppressed: { cause: unknown }[];
    };
    expect(error.cause.message).toBe('pull');
    expect(error.suppressed).toHaveLength(1);
    expect(error.suppressed[0]?.cause).toBe(late);
  });

  it('ends where the source says between two pulls that it cannot go on', async () => {
    let fail: (error: unknown) => void = () => {};
    const source = {
      name: 'lost',
      open: (context: { fail(error: unknown): void }) => {
        fail = context.fail;
      },
      pull: () => [1],
    };
    const cause = new Error('connection lost');
    const error = await rejection(
      (async () => {
        for await (const _ of from(source)) fail(cause);
      })(),
    );
    expect(error).toMatchObject({ code: 'SW_SOURCE_FAILED', stage: 'lost', cause });
  });

  it.each([
    ['more than it was asked for', (demand: number) => upTo(demand + 1), 'SW_SOURCE_OVERANSWERED'],
    ['an empty array', () => [], 'SW_SOURCE_UNDERANSWERED'],
    ['null', () => null, 'SW_SOURCE_UNDERANSWERED'],
    ['no array', () => 'items', 'SW_SOURCE_UNDERANSWERED'],
    ['a position without items', () => ({ position: 1 }), 'SW_SOURCE_UNDERANSWERED'],
  ])('refuses a source that answers %s', async (_, pull, code) => {
    for (const isLater of [false, true]) {
      const source = { pull: isLater ? async (demand: number) => pull(demand) : pull } as never;
      expect(await rejection(iterate(from(source)))).toMatchObject({ code, stage: 'source' });
    }
  });
});
