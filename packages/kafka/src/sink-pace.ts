/**
 * How much is sent at once: as much as goes through in good time. A broker counts a request that takes too long as lost, and
 * over a slow line a large one would be repeated for ever.
 */

const FIRST_BYTES = 256 << 10;
const LEAST_BYTES = 16 << 10;
/** All of it is in memory, several times. */
const MOST_BYTES = 8 << 20;

export class Pace {
  /** The most bytes of one send. */
  bytes: number = FIRST_BYTES;
  readonly #goodMs: number;

  constructor(requestTimeoutMs: number) {
    this.#goodMs = requestTimeoutMs / 6;
  }

  /** So much was sent, and took so long. */
  took(bytes: number, ms: number): void {
    if (ms > this.#goodMs) this.bytes = Math.max(LEAST_BYTES, Math.min(this.bytes, bytes) >> 1);
    else if (bytes > this.bytes / 2) this.bytes = Math.min(MOST_BYTES, 2 * this.bytes);
  }
}
