/** What goes otherwise than one would expect and is no failure: told to `onNotice`, with a code like any other error. */

import { FileError } from './errors.ts';
import type { FilePosition } from './source-position.ts';

/** A file of a lane, and where it lies. */
interface Place {
  readonly lane: string;
  readonly path: string;
}

export function replaced(lane: string, from: FilePosition, isThere: boolean, stage: string): FileError {
  return new FileError(
    'SW_FILE_REPLACED',
    `The file at ${lane} is not the one that was read to byte ${from.offset}, and that one was not found beside it. ` +
      `${isThere ? 'What is there now is read from its beginning; w' : 'W'}hat was behind that byte is not read.`,
    { stage, path: lane },
  );
}

export function shortened(lane: string, from: FilePosition, stage: string): FileError {
  return new FileError(
    'SW_FILE_SHORTENED',
    `The file at ${lane} ends before byte ${from.offset}, where it was to be resumed: it was cut or written anew. ` +
      'It is read from its beginning.',
    { stage, path: lane },
  );
}

export function zipped({ path }: Place, stage: string): FileError {
  return new FileError(
    'SW_FILE_GZIP_FOLLOWED',
    `${path} is compressed, and left out: what is compressed cannot be followed. Read it without follow when it is ` +
      "complete, or name your files so that it is not among them; compression: 'none' takes its bytes as they are.",
    { stage, path },
  );
}

export function lost({ lane, path }: Place, stage: string): FileError {
  return new FileError(
    'SW_FILE_LOST',
    `The file that was ${lane} was removed before it was read to its end: what was written to it last is lost. Keep ` +
      'rotated files until they are read, or raise follow.maxOpen, so that more are held open.',
    { stage, path },
  );
}

export function cutOff({ lane, path }: Place, stage: string): FileError {
  return new FileError(
    'SW_FILE_CUT_OFF',
    `The file that was ${lane} came to its end in the middle of a record, which is left out: its writer died, or it ` +
      'was cut while it was written to.',
    { stage, path },
  );
}
