/**
 * What can go wrong with a file, as errors of ours: one table of codes, and one place that turns what the operating
 * system answered into a code. A path may be in a message; what is in a file never is.
 */

import { StreamWeldError, WriteError } from '@streamweld/core/connector';

/** The one table of codes of this package. */
export const FILE_ERROR_CODES = {
  SW_FILE_NOT_FOUND: 'A file, or a folder on the way to it, does not exist.',
  SW_FILE_NO_MATCH: 'A glob matched no file.',
  SW_FILE_IS_DIRECTORY: 'A folder stands where a file was expected.',
  SW_FILE_NOT_REGULAR: 'A pipe, socket or device stands where a file was expected.',
  SW_FILE_DENIED: 'The operating system refused access, or the file system is read-only.',
  SW_FILE_LOOP: 'Symbolic links lead in a circle.',
  SW_FILE_TOO_MANY_OPEN: 'The process or the system has no file handle left.',
  SW_FILE_SHORTENED: 'A file ends before the position to resume from; it is read from its beginning.',
  SW_FILE_REPLACED:
    'A file is not the one it was, and the former was not found; it is read from its beginning.',
  SW_FILE_LOST: 'A file that is followed was removed before it was read to its end.',
  SW_FILE_CUT_OFF: 'A file that is followed came to its end in the middle of a record.',
  SW_FILE_GZIP_FOLLOWED: 'Compressed files cannot be followed.',
  SW_FILE_POSITION_INVALID: 'What is to be resumed from is no position of this version.',
  SW_FILE_READ_FAILED: 'Reading a file failed.',
  SW_FILE_WRITE_FAILED: 'Writing a file failed.',
  SW_FILE_SYNC_FAILED: 'The operating system could not say that what was written is on disk.',
  SW_FILE_NO_SPACE: 'The disk, or a quota on it, is full.',
  SW_FILE_TOO_LARGE: 'A file would outgrow what the file system or a limit of the process allows.',
  SW_FILE_CROSS_DEVICE: 'A temporary could not be renamed, because its target lies on another device.',
  SW_FILE_PATH_INVALID: 'A path cannot name a file.',
  SW_FILE_PATH_ESCAPES: 'A path leads out of the folder it has to stay in.',
  SW_FILE_LOCKED: 'Another sink writes to the same place.',
  SW_FILE_OCCUPIED: 'A file holds what this sink has not written, and would be changed by it.',
  SW_FILE_LEDGER_AHEAD: 'A file is shorter than what its ledger says was written to it.',
  SW_FILE_LEDGER_DAMAGED: 'The ledger of a sink cannot be read.',
  SW_FILE_NOT_APPENDABLE: 'Nothing can be written behind what is there.',
  SW_FILE_CHECKPOINT_DAMAGED: 'No version of a checkpoint is whole.',
  SW_FILE_CHECKPOINT_NEWER: 'A later version of this package wrote a checkpoint.',
} as const;

export type FileErrorCode = keyof typeof FILE_ERROR_CODES;

export interface FileErrorDetails {
  /** The name of the source or sink. */
  readonly stage?: string | undefined;
  readonly cause?: unknown;
  readonly path?: string | undefined;
}

/** A failure of one file. `path` is the file as the source or sink names it. */
export class FileError extends StreamWeldError {
  override readonly name: string = 'FileError';
  readonly path: string | undefined;

  constructor(code: FileErrorCode, message: string, details: FileErrorDetails = {}) {
    super(code, message, details);
    this.path = details.path;
  }
}

/**
 * An item that cannot be written whatever the disk does: its path is unusable, or it does not fit the format.
 * A WriteError, so the policies of a pipeline know which items to take out; its code says why.
 */
export class FileItemError extends WriteError {
  override readonly name: string = 'FileItemError';
  override readonly code: string;

  constructor(
    code: string,
    message: string,
    failed: readonly number[] | undefined,
    details: Omit<FileErrorDetails, 'path'> = {},
  ) {
    super(message, { ...details, failed, retryable: false });
    this.code = code;
  }
}

const ADVICE: Readonly<Record<string, readonly [FileErrorCode, string]>> = {
  ENOENT: ['SW_FILE_NOT_FOUND', 'it does not exist. Check the path; it is relative to the current folder.'],
  EISDIR: ['SW_FILE_IS_DIRECTORY', 'it is a folder. Name a file, or a glob such as "folder/*".'],
  EACCES: ['SW_FILE_DENIED', 'access is denied. Check its permissions and those of its folder.'],
  EPERM: ['SW_FILE_DENIED', 'the operation is not permitted. Check its permissions and those of its folder.'],
  EROFS: ['SW_FILE_DENIED', 'the file system is read-only.'],
  ELOOP: ['SW_FILE_LOOP', 'symbolic links lead in a circle.'],
  EMFILE: [
    'SW_FILE_TOO_MANY_OPEN',
    'the process has no file handle left. Raise its limit (ulimit -n) or lower maxOpen.',
  ],
  ENFILE: ['SW_FILE_TOO_MANY_OPEN', 'the system has no file handle left.'],
  ENOSPC: ['SW_FILE_NO_SPACE', 'the disk is full.'],
  EDQUOT: ['SW_FILE_NO_SPACE', 'the quota is used up.'],
  EFBIG: ['SW_FILE_TOO_LARGE', 'it would outgrow what the file system or ulimit -f allows.'],
  EXDEV: ['SW_FILE_CROSS_DEVICE', 'its temporary lies on another device.'],
  ENAMETOOLONG: ['SW_FILE_PATH_INVALID', 'a name in it is too long.'],
  ENOTDIR: ['SW_FILE_PATH_INVALID', 'something on the way to it is not a folder.'],
  EEXIST: ['SW_FILE_PATH_INVALID', 'something on the way to it is not a folder.'],
  ERR_INVALID_ARG_VALUE: ['SW_FILE_PATH_INVALID', 'it holds a character that no path can have.'],
};

/** The operating system's word for a failure, such as ENOENT. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** What the file layer threw, as an error of ours; `otherwise` is the code where the system's own has no entry. */
export function toFileError(
  error: unknown,
  action: string,
  path: string,
  stage: string,
  otherwise: FileErrorCode,
): StreamWeldError {
  if (error instanceof StreamWeldError) return error;
  const errno = errnoOf(error);
  const known = errno === undefined ? undefined : ADVICE[errno];
  const [code, advice] = known ?? [otherwise, `${errno ?? 'an error'}; the cause says more.`];
  return new FileError(code, `Could not ${action} ${path}: ${advice}`, { stage, path, cause: error });
}

/** What went wrong while a file was read. An error of the format knows the record and the byte, and now the file. */
export function toReadError(error: unknown, path: string, stage: string): StreamWeldError {
  if (!(error instanceof StreamWeldError))
    return toFileError(error, 'read', path, stage, 'SW_FILE_READ_FAILED');
  if (error instanceof FileError) return error;
  return new StreamWeldError(error.code, `${path}: ${error.message}`, { stage, cause: error });
}
