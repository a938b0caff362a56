/**
 * The only door to the process that core runs in, where it runs in one: Node, Deno and Bun have it, a browser has not.
 * Nothing is looked up before somebody asks.
 */

/** What of it is used: its signals. */
export interface HostProcess {
  on(signal: string, listener: (signal: string) => void): unknown;
  off(signal: string, listener: (signal: string) => void): unknown;
}

/** @returns nothing where signals cannot be listened to */
export function hostProcess(): HostProcess | undefined {
  const { process } = globalThis as { process?: Partial<HostProcess> };
  return typeof process?.on === 'function' && typeof process.off === 'function'
    ? (process as HostProcess)
    : undefined;
}
