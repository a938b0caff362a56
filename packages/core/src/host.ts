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
  const { process: host } = globalThis as { process?: Partial<HostProcess> };
  return typeof host?.on === 'function' && typeof host.off === 'function' ? (host as HostProcess) : undefined;
}
