/**
 * Rows in COPY's text format, as the bytes of a message of the protocol.
 *
 *     'd' length │ field \t field \n field \t field \n …
 *
 * Bytes are written one by one where texts are short, as most fields are: that is faster than making a text of the row
 * and encoding it, and leaves nothing to be collected. On the way each text is checked and escaped.
 */

import { putDate, putNumber } from './copy-bytes.ts';
import { checkText, type Encode, encodePlain, refuseNul, refuseSurrogate } from './sink-values.ts';

/** A message holds about so many bytes. */
const MESSAGE = 1 << 16;
/** With room for the row that fills it. */
const SIZE: number = MESSAGE + (MESSAGE >> 2);
const COPY_DATA = 0x64;
const HEAD = 5;

/** Longer texts are encoded by Node: it takes long to call, and then is faster. */
const LONG = 48;

const TAB = 0x09;
const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;

/** What stands behind a backslash for a character that COPY would take for something else. */
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };
const ESCAPED: Uint8Array = new Uint8Array(128);
for (const [character, escape] of Object.entries(ESCAPES))
  ESCAPED[character.charCodeAt(0)] = escape.charCodeAt(1);
const SPECIAL = /[\0\\\t\n\r\ud800-\udfff]/;
const EVERY_UNSAFE = /[\\\t\n\r]/g;

export class CopyText {
  #bytes: Buffer = Buffer.allocUnsafe(SIZE);
  #at: number = HEAD;

  get isFull(): boolean {
    return this.#at >= MESSAGE;
  }

  /** False after a row that was very long. */
  get isOfUsualSize(): boolean {
    return this.#bytes.length === SIZE;
  }

  get isEmpty(): boolean {
    return this.#at === HEAD;
  }

  /** What was put so far, as a message. The next thing that is put takes its place. */
  take(): Uint8Array {
    const message = this.#bytes.subarray(0, this.#at);
    message[0] = COPY_DATA;
    message.writeInt32BE(this.#at - 1, 1);
    this.#at = HEAD;
    return message;
  }

  /**
   * One field and the tab behind it.
   * @throws Refusal for what cannot be stored as it is.
   */
  put(value: unknown, encode: Encode): void {
    if (value === null || value === undefined) this.#putNull();
    else if (encode !== encodePlain) this.#putEncoded(value, encode);
    else if (typeof value === 'string') this.#putText(value);
    else if (typeof value === 'number') this.#putNumber(value);
    else if (value instanceof Date) this.#putDate(value);
    else this.#putEncoded(value, encode);
    this.#bytes[this.#at++] = TAB;
  }

  /** In place of the tab behind the last field. */
  endRow(): void {
    this.#bytes[this.#at - 1] = NEWLINE;
  }

  #putNull(): void {
    this.#reserve(2);
    this.#bytes[this.#at++] = BACKSLASH;
    this.#bytes[this.#at++] = 0x4e;
  }

  #putNumber(value: number): void {
    this.#reserve(24);
    const next = putNumber(this.#bytes, this.#at, value);
    if (next === this.#at) this.#putEncoded(value, encodePlain);
    else this.#at = next;
  }

  #putDate(value: Date): void {
    this.#reserve(24);
    const next = putDate(this.#bytes, this.#at, value.getTime());
    if (next === this.#at) this.#putEncoded(value, encodePlain);
    else this.#at = next;
  }

  #putEncoded(value: unknown, encode: Encode): void {
    const text = encode(value);
    if (text === null) this.#putNull();
    else this.#putText(text);
  }

  #putText(text: string): void {
    const { length } = text;
    // No character takes more than three bytes for each of its units.
    this.#reserve(3 * length);
    if (length > LONG) {
      let escaped = text;
      if (SPECIAL.test(text)) {
        checkText(text);
        escaped = text.replace(EVERY_UNSAFE, (character) => ESCAPES[character] as string);
      }
      this.#at += this.#bytes.write(escaped, this.#at);
      return;
    }
    const bytes = this.#bytes;
    let at = this.#at;
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit < 0x80) {
        const escape = ESCAPED[unit] as number;
        if (escape !== 0) {
          bytes[at++] = BACKSLASH;
          bytes[at++] = escape;
        } else {
          if (unit === 0) refuseNul();
          bytes[at++] = unit;
        }
      } else if (unit < 0x800) {
        bytes[at++] = 0xc0 | (unit >> 6);
        bytes[at++] = 0x80 | (unit & 0x3f);
      } else if ((unit & 0xf800) === 0xd800) {
        const code = text.codePointAt(index) as number;
        // Half of a pair is its own code; of a whole one this is its first.
        if (code === unit) refuseSurrogate();
        index += 1;
        bytes[at++] = 0xf0 | (code >> 18);
        bytes[at++] = 0x80 | ((code >> 12) & 0x3f);
        bytes[at++] = 0x80 | ((code >> 6) & 0x3f);
        bytes[at++] = 0x80 | (code & 0x3f);
      } else {
        bytes[at++] = 0xe0 | (unit >> 12);
        bytes[at++] = 0x80 | ((unit >> 6) & 0x3f);
        bytes[at++] = 0x80 | (unit & 0x3f);
      }
    }
    this.#at = at;
  }

  /** Room for so many bytes, and for the tab behind them. */
  #reserve(length: number): void {
    if (this.#at + length < this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#at + length + 1));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}
