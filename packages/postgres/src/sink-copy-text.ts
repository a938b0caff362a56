/**
 * Rows in COPY's text format, as the bytes of a message of the protocol.
 *
 *     'd' length │ field \t field \n field \t field \n …
 *
 * Bytes are written one by one where texts are short, as most fields are: that is faster than making a text of the row
 * and encoding it, and leaves nothing to be collected. On the way each text is checked and escaped.
 */

import { checkText, type Encode, encodePlain, refuseNul, refuseSurrogate } from './sink-values.ts';

/** A message holds about so many bytes. */
const MESSAGE = 1 << 16;
const COPY_DATA = 0x64;
const HEAD = 5;

/** Longer texts are encoded by Node: it takes long to call, and then is faster. */
const LONG = 48;

const TAB = 0x09;
const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;

/** What stands behind a backslash for a character that COPY would take for something else. */
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };
const ESCAPED: Uint8Array = new Uint8Array(128);
for (const [character, escape] of Object.entries(ESCAPES))
  ESCAPED[character.charCodeAt(0)] = escape.charCodeAt(1);
const UNSAFE = /[\\\t\n\r]/;
const EVERY_UNSAFE = /[\\\t\n\r]/g;

export class CopyText {
  #bytes: Buffer = Buffer.allocUnsafe(MESSAGE + (MESSAGE >> 2));
  #at: number = HEAD;

  get isFull(): boolean {
    return this.#at >= MESSAGE;
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
    if (typeof value === 'string' && encode === encodePlain) this.#putText(value);
    else if (typeof value === 'number' && (value | 0) === value && encode === encodePlain)
      this.#putInteger(value);
    else {
      const text = encode(value);
      if (text === null) this.#putNull();
      else this.#putText(text);
    }
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

  #putInteger(value: number): void {
    this.#reserve(11);
    const bytes = this.#bytes;
    let rest = value;
    if (rest < 0) {
      bytes[this.#at++] = MINUS;
      rest = -rest;
    }
    let end = this.#at + 1;
    for (let limit = 10; limit <= rest; limit *= 10) end += 1;
    this.#at = end;
    do {
      const tenth = Math.floor(rest / 10);
      bytes[--end] = ZERO + rest - 10 * tenth;
      rest = tenth;
    } while (rest > 0);
  }

  #putText(text: string): void {
    const { length } = text;
    // No character takes more than three bytes for each of its units.
    this.#reserve(3 * length);
    if (length > LONG) {
      checkText(text);
      const escaped = UNSAFE.test(text)
        ? text.replace(EVERY_UNSAFE, (character) => ESCAPES[character] as string)
        : text;
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
