/** How progress is shown, decided by the very stream it is drawn to. */

export type ProgressMode = 'auto' | 'tty' | 'plain' | 'json' | 'none';

/** What of a stream is used: `process.stderr`, `process.stdout` or one of your own. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  readonly writableLength?: number | undefined;
  readonly destroyed?: boolean | undefined;
  on?(event: 'resize' | 'error', listener: () => void): unknown;
  off?(event: 'resize' | 'error', listener: () => void): unknown;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** `'auto'`: a terminal that can move its cursor, and is no log of a CI, is drawn on; anything else gets lines. */
export function chooseMode(
  mode: ProgressMode,
  stream: ProgressStream,
  env: Environment,
): Exclude<ProgressMode, 'auto'> {
  if (mode !== 'auto') return mode;
  const isTerminal = stream.isTTY === true && env['TERM'] !== 'dumb';
  return isTerminal && !isOn(env['CI']) ? 'tty' : 'plain';
}

/** FORCE_COLOR wins over NO_COLOR, as in Node itself. */
export function hasColor(stream: ProgressStream, env: Environment): boolean {
  const { FORCE_COLOR: forced, NO_COLOR: refused, TERM: terminal } = env;
  if (forced !== undefined) return forced === '' || isOn(forced);
  if (refused !== undefined && refused !== '') return false;
  return stream.isTTY === true && terminal !== 'dumb';
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0' && value !== 'false';
}
