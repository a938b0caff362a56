/**
 * Fields as the bytes of their text: lines of COPY as a message of the protocol, or a column as an array.
 *
 *     COPY:   'd' length │ field \t field \n field \t field \n …
 *     array:  {12,"text","say \"so\"",NULL}
 *
 * Bytes are written one by one where texts are short, as most fields are: that is faster than making a text of the whole
 * and encoding it, and leaves nothing to be collected. On the way each text is checked and escaped.
 */

import { putDate, putNumber } from './copy-bytes.ts';
import { checkText, type Encode, encodePlain, refuseNul, refuseSurrogate } from './sink-values.ts';

/** A message of COPY holds about so many bytes. */
const MESSAGE = 1 << 16;
/** With room for the row that fills it. */
const SIZE: number = MESSAGE + (MESSAGE >> 2);
/** What has grown larger is not used again. */
const LARGE = 1 << 22;
const COPY_DATA = 0x64;
const HEAD = 5;

/** Longer texts are encoded by Node: it takes long to call, and then is faster. */
const LONG = 48;

const TAB = 0x09;
const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPENING = 0x7b;
const CLOSING = 0x7d;

interface Style {
  readonly null: Uint8Array;
  /** Behind each field. */
  readonly separator: number;
  readonly isQuoted: boolean;
  /** By its unit: what stands behind a backslash for a character that would be taken for something else. */
  readonly escapes: Uint8Array;
  /** Finds what has to be escaped, or may have to be refused. */
  readonly special: RegExp;
  readonly unsafe: RegExp;
}

const COPY: Style = {
  null: Buffer.from('\\N'),
  separator: TAB,
  isQuoted: false,
  escapes: escapesOf({ '\\': '\\', '\t': 't', '\n': 'n', '\r': 'r' }),
  special: /[\0\\\t\n\r\ud800-\udfff]/,
  unsafe: /[\\\t\n\r]/g,
};
const ARRAY: Style = {
  null: Buffer.from('NULL'),
  separator: COMMA,
  isQuoted: true,
  escapes: escapesOf({ '\\': '\\', '"': '"' }),
  special: /[\0\\"\ud800-\udfff]/,
  unsafe: /[\\"]/g,
};

function escapesOf(escapes: Readonly<Record<string, string>>): Uint8Array {
  const bytes = new Uint8Array(128);
  for (const [character, escape] of Object.entries(escapes))
    bytes[character.charCodeAt(0)] = escape.charCodeAt(0);
  return bytes;
}

export class FieldBytes {
  readonly #style: Style;
  readonly #escapes: Uint8Array;
  readonly #isQuoted: boolean;
  #bytes: Buffer = Buffer.allocUnsafe(SIZE);
  #at: number = HEAD;

  private constructor(style: Style) {
    this.#style = style;
    this.#escapes = style.escapes;
    this.#isQuoted = style.isQuoted;
  }

  /** Lines of COPY. */
  static ofCopy(): FieldBytes {
    return new FieldBytes(COPY);
  }

  /** Elements of an array. */
  static ofArray(): FieldBytes {
    return new FieldBytes(ARRAY);
  }

  /** As a message of COPY. */
  get isFull(): boolean {
    return this.#at >= MESSAGE;
  }

  get isEmpty(): boolean {
    return this.#at === HEAD;
  }

  get length(): number {
    return this.#at;
  }

  /** Whether it takes so much memory that it is better made anew. */
  get isLarge(): boolean {
    return this.#bytes.length > LARGE;
  }

  /** What was put so far, as a message of COPY. The next thing that is put takes its place. */
  takeMessage(): Uint8Array {
    const message = this.#bytes.subarray(0, this.#at);
    message[0] = COPY_DATA;
    message.writeInt32BE(this.#at - 1, 1);
    this.#at = HEAD;
    return message;
  }

  /** What was put so far, as the text of an array. */
  takeArray(): string {
    // In place of the comma behind the last element.
    const end = Math.max(this.#at, HEAD + 1);
    this.#bytes[HEAD - 1] = OPENING;
    this.#bytes[end - 1] = CLOSING;
    this.#at = HEAD;
    return this.#bytes.toString('utf8', HEAD - 1, end);
  }

  /** Forgets what was put. */
  clear(): void {
    this.#at = HEAD;
  }

  /**
   * One field and what separates it from the next.
   * @throws Refusal for what cannot be stored as it is.
   */
  put(value: unknown, encode: Encode): void {
    if (value === null || value === undefined) this.#putNull();
    else if (encode !== encodePlain) this.#putEncoded(value, encode);
    else if (typeof value === 'string') this.#putText(value);
    else if (typeof value === 'number') this.#putNumber(value);
    else if (value instanceof Date) this.#putDate(value);
    else this.#putEncoded(value, encode);
    this.#bytes[this.#at++] = this.#style.separator;
  }

  /** In place of the tab behind the last field. */
  endRow(): void {
    this.#bytes[this.#at - 1] = NEWLINE;
  }

  #putNull(): void {
    const text = this.#style.null;
    this.#reserve(text.length);
    for (let index = 0; index < text.length; index++) this.#bytes[this.#at++] = text[index] as number;
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
    // No character takes more than three bytes for each of its units. And quotes.
    this.#reserve(3 * length + 2);
    const isQuoted = this.#isQuoted;
    if (isQuoted) this.#bytes[this.#at++] = QUOTE;
    if (length > LONG) this.#putLong(text);
    else this.#putShort(text);
    if (isQuoted) this.#bytes[this.#at++] = QUOTE;
  }

  #putLong(text: string): void {
    let escaped = text;
    if (this.#style.special.test(text)) {
      checkText(text);
      escaped = text.replace(this.#style.unsafe, (character) => {
        const escape = this.#escapes[character.charCodeAt(0)] as number;
        return `\\${String.fromCharCode(escape)}`;
      });
    }
    this.#at += this.#bytes.write(escaped, this.#at);
  }

  #putShort(text: string): void {
    const { length } = text;
    const escapes = this.#escapes;
    const bytes = this.#bytes;
    let at = this.#at;
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit < 0x80) {
        const escape = escapes[unit] as number;
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
