/** What a sink may be besides one, where pipelines and dispatchers meet. */

/** A sink that somebody waits for from when it was made, and not only from when it is opened: the way into a dispatcher. */
export abstract class AwaitedSink {
  /** The run that was to open it failed before it came to that. Does nothing where another run has opened it. */
  abstract giveUp(reason: unknown): Promise<void>;
}
