/** Variants that are broken on purpose: a harness that finds nothing wrong with them finds nothing. */

import { join } from 'node:path';
import type { Source } from '@streamweld/core';
import { type FilePosition, FileSink } from '@streamweld/file';
import { inputOf, lineAt, run, type Variant, VARIANTS, withoutPositions } from './variants.ts';

const { plain, 'at least once': atLeastOnce } = VARIANTS as { plain: Variant; 'at least once': Variant };

/** The source of a variant, with other positions. */
export function moved(
  source: Source<string, FilePosition>,
  move: (position: FilePosition, before: FilePosition | undefined) => FilePosition,
): Source<string, FilePosition> {
  let before: FilePosition | undefined;
  return {
    name: 'moved',
    open: (context) => source.open?.(context),
    stop: () => source.stop?.(),
    close: (reason) => source.close?.(reason),
    async pull(demand) {
      const answer = await source.pull(demand);
      if (answer === undefined || !('position' in answer)) return answer;
      const position = answer.position.done === true ? answer.position : move(answer.position, before);
      before = answer.position;
      return { ...answer, position };
    },
  };
}

export const DEFECTS: Readonly<Record<string, Variant>> = {
  'commit before durable': {
    ...atLeastOnce,
    build(folder, client) {
      const sink = withoutPositions(new FileSink(join(folder, 'out.log'), { client, append: true }));
      return run(folder, client, inputOf(folder, client), {
        ...sink,
        // It takes the promise of what is durable for the thing; slowly, so that there is time to commit.
        write: async (batch, context) => {
          await sink.write(batch, context);
          await new Promise((resolve) => setTimeout(resolve, 5));
        },
      });
    },
  },
  'a position that is one item ahead': {
    ...plain,
    build: (folder, client) => {
      const ahead = moved(inputOf(folder, client), (position) => ({
        ...position,
        record: position.record + 1,
        offset: position.offset + lineAt(position.record).length + 1,
      }));
      return run(folder, client, ahead, new FileSink(join(folder, 'out.log'), { client }));
    },
  },
  'a position that is one batch behind': {
    ...plain,
    build: (folder, client) => {
      const behind = moved(
        inputOf(folder, client),
        (position, before) => before ?? { ...position, record: 0, offset: 0 },
      );
      return run(folder, client, behind, new FileSink(join(folder, 'out.log'), { client }));
    },
  },
};
