/** Which rows came: a bit for each, so that one that is lost and one that came twice are both seen. */
export class RowLedger {
  #bits = new Uint8Array(1 << 16);
  /** Rows that came, each counted once. */
  rows = 0;
  /** Rows that came again. */
  doubled = 0;
  /** The highest row that came, and one more. */
  #end = 0;

  mark(row: number): void {
    const byte = row >> 3;
    const bit = 1 << (row & 7);
    if (byte >= this.#bits.length) this.#grow(byte);
    const before = this.#bits[byte] as number;
    if ((before & bit) !== 0) {
      this.doubled += 1;
      return;
    }
    this.#bits[byte] = before | bit;
    this.rows += 1;
    if (row >= this.#end) this.#end = row + 1;
  }

  /** Rows before `end` that did not come. A row from `end` on has no business here, and hides none that is lost. */
  lostOf(end: number): number {
    let lost = 0;
    for (let row = 0; row < end; row += 1) {
      if (((this.#bits[row >> 3] ?? 0) & (1 << (row & 7))) === 0) lost += 1;
    }
    return lost;
  }

  /** Rows that came and should not have, from `end` on. */
  beyond(end: number): number {
    return this.#end <= end ? 0 : this.rows - (end - this.lostOf(end));
  }

  #grow(byte: number): void {
    const bits = new Uint8Array(Math.max(2 * this.#bits.length, byte + 1));
    bits.set(this.#bits);
    this.#bits = bits;
  }
}
