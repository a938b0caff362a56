/**
 * GetObject, one after the other through a handler that is put together once. The SDK does it anew for each command, which for
 * small objects is a fifth of all that reading them costs; its own way out, `cacheMiddleware`, leaves no request to be called
 * off, and shares one context among those that run at once.
 */

import type { Readable } from 'node:stream';
import { GetObjectCommand, type GetObjectCommandInput } from '@aws-sdk/client-s3';

type Resolve = GetObjectCommand['resolveMiddleware'];
type Handler = ReturnType<Resolve>;

/** Afterwards it is put together anew: what a middleware leaves in its context does not grow without bound. */
const MOST_USES = 64;

/** For one object at a time, from the request to the end of its body. Ends with a request that failed or was called off. */
export class Getter {
  /** Calls off what is under way. */
  readonly over: AbortController = new AbortController();
  #handler: Handler | undefined;
  #uses = 0;

  command(input: GetObjectCommandInput): GetObjectCommand {
    this.#uses += 1;
    return new Get(input, this);
  }

  get isSpent(): boolean {
    return this.#uses >= MOST_USES || this.over.signal.aborted;
  }

  /** @param make puts it together for options that are the getter's own */
  handler(options: Parameters<Resolve>[2], make: () => Handler): Handler {
    // A client that wraps that of the user may have made its own of each.
    if (options?.abortSignal !== this.over.signal) return make();
    this.#handler ??= make();
    return this.#handler;
  }
}

/** As many as objects are read at once. */
export class Getters {
  readonly #free: Getter[] = [];

  take(): Getter {
    return this.#free.pop() ?? new Getter();
  }

  /** When its body is over: until then, whoever calls off another request would end it too. */
  give(getter: Getter): void {
    if (!getter.isSpent) this.#free.push(getter);
  }
}

class Get extends GetObjectCommand {
  readonly #getter: Getter;

  constructor(input: GetObjectCommandInput, getter: Getter) {
    super(input);
    this.#getter = getter;
  }

  override resolveMiddleware(...given: Parameters<Resolve>): Handler {
    return this.#getter.handler(given[2], () => {
      listensToBody(this);
      return super.resolveMiddleware(...given);
    });
  }
}

/** Listens to the body of its answer as soon as there is one: a client of the user may think over the answer for a while. */
function listensToBody(command: GetObjectCommand): void {
  command.middlewareStack.add(
    (next) => async (given) => {
      const answer = await next(given);
      // What comes of it is told by SdkBody.
      (answer.output?.Body as Readable | undefined)?.on('error', () => {});
      return answer;
    },
    { step: 'deserialize', priority: 'high' },
  );
}
