/** Bytes gathered until they are worth a write. What is added is copied, so its owner may use it again. */

const SMALLEST = 1024;
const NOTHING = new Uint8Array(0);

export class GrowingBuffer {
  #bytes: Uint8Array = NOTHING;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The memory it holds. */
  get capacity(): number {
    return this.#bytes.length;
  }

  add(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, this.#bytes.length * 2, SMALLEST));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
  }

  /** All of it; the buffer is empty afterwards and holds no memory. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = NOTHING;
    this.#length = 0;
    return taken;
  }
}
