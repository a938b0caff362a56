/**
 * An item as text, short, whatever it is. Nothing of the item is called: a getter is named and not asked, a proxy is not
 * looked into. What it costs is bounded by the letters that come out, not by the size of the item; and it never throws.
 */

import { types } from 'node:util';

export interface PreviewBounds {
  /** Letters that come out at most, with what is said about the rest. Default 2000. */
  readonly letters?: number;
  /** Of one string. Default 500. */
  readonly text?: number;
  /** Entries of one object, array, map or set. Default 50. */
  readonly entries?: number;
  /** Objects inside of objects. Default 6. */
  readonly depth?: number;
}

export function previewOf(item: unknown, bounds: PreviewBounds = {}): string {
  try {
    return new Preview(bounds).of(item);
  } catch {
    return '[cannot be shown]';
  }
}

/** Deeper or wider than this, a line of its own for each entry. */
const WIDE = 72;

class Preview {
  readonly #text: number;
  readonly #entries: number;
  readonly #depth: number;
  #left: number;
  /** The objects around the one that is looked at. */
  readonly #around: object[] = [];

  constructor({ letters = 2000, text = 500, entries = 50, depth = 6 }: PreviewBounds) {
    this.#left = letters;
    this.#text = text;
    this.#entries = entries;
    this.#depth = depth;
  }

  of(item: unknown): string {
    const most = this.#left;
    const text = this.#value(item);
    return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
  }

  #value(value: unknown): string {
    const text = typeof value === 'object' && value !== null ? this.#object(value) : this.#plain(value);
    this.#left -= text.length;
    return text;
  }

  #plain(value: unknown): string {
    switch (typeof value) {
      case 'string':
        return this.#string(value);
      case 'bigint':
        return this.#bigint(value);
      case 'symbol':
        return `[symbol ${this.#string(value.description ?? '')}]`;
      case 'function':
        return '[function]';
      case 'number':
        return Object.is(value, -0) ? '-0' : String(value);
      case 'boolean':
        return String(value);
      default:
        return value === null ? 'null' : 'undefined';
    }
  }

  #string(value: string): string {
    const most = Math.max(0, Math.min(this.#text, this.#left));
    if (value.length <= most) return JSON.stringify(value);
    return `${JSON.stringify(value.slice(0, most))}… ${value.length.toLocaleString('en')} letters`;
  }

  /** Of a million digits the writing alone would take a second. */
  #bigint(value: bigint): string {
    return BigInt.asIntN(4096, value) === value ? `${value}n` : '[bigint above 4096 bits]';
  }

  #object(value: object): string {
    if (types.isProxy(value)) return '[proxy]';
    if (this.#around.includes(value)) return '[circular]';
    if (types.isDate(value)) return dateText(value);
    if (types.isRegExp(value)) return '[regexp]';
    if (types.isPromise(value)) return '[promise]';
    if (types.isAnyArrayBuffer(value)) return `[${value.byteLength.toLocaleString('en')} bytes]`;
    if (ArrayBuffer.isView(value)) return this.#bytes(value);
    if (this.#around.length >= this.#depth) return Array.isArray(value) ? '[…]' : '{…}';
    this.#around.push(value);
    const text = this.#entriesOf(value);
    this.#around.pop();
    return text;
  }

  /** Bytes as text where they are some, else as hexadecimal digits. */
  #bytes(view: ArrayBufferView): string {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, Math.min(view.byteLength, this.#text));
    // Of a character that is cut nothing is decoded.
    const text = new TextDecoder().decode(bytes.subarray(0, Math.max(0, this.#left)), { stream: true });
    const size = `${view.byteLength.toLocaleString('en')} bytes`;
    const isText = view instanceof Uint8Array && !/(?![\t\n\r])[\p{Cc}\ufffd]/u.test(text);
    if (isText) return `[${size}] ${JSON.stringify(text)}${view.byteLength > bytes.length ? '…' : ''}`;
    const digits = Array.from(bytes.subarray(0, 32), (byte) => byte.toString(16).padStart(2, '0'));
    return `[${size}] ${digits.join(' ')}${view.byteLength > 32 ? '…' : ''}`;
  }

  #entriesOf(value: object): string {
    if (Array.isArray(value)) return this.#list('[', ']', value.length, this.#ofArray(value));
    if (types.isMap(value)) return `Map ${this.#list('{', '}', sizeOf(value), this.#ofMap(value))}`;
    if (types.isSet(value)) return `Set ${this.#list('[', ']', sizeOf(value), this.#ofSet(value))}`;
    const names = Object.keys(value);
    const kind = types.isNativeError(value) ? 'Error ' : '';
    if (kind !== '') names.unshift('message');
    return kind + this.#list('{', '}', names.length, this.#ofObject(value, names));
  }

  *#ofArray(value: readonly unknown[]): Iterable<string> {
    for (let at = 0; at < value.length; at++) yield this.#property(value, String(at));
  }

  *#ofMap(value: ReadonlyMap<unknown, unknown>): Iterable<string> {
    for (const [key, each] of Map.prototype.entries.call(value))
      yield `${this.#value(key)} → ${this.#value(each)}`;
  }

  *#ofSet(value: ReadonlySet<unknown>): Iterable<string> {
    for (const each of Set.prototype.values.call(value)) yield this.#value(each);
  }

  *#ofObject(value: object, names: readonly string[]): Iterable<string> {
    for (const name of names) {
      const key = /^[\p{L}_$][\p{L}\d_$]{0,80}$/u.test(name) ? name : this.#string(name);
      this.#left -= key.length;
      yield `${key}: ${this.#property(value, name)}`;
    }
  }

  /** Asked for its description, so that a getter is not called. */
  #property(value: object, name: string): string {
    const property = Object.getOwnPropertyDescriptor(value, name);
    if (property === undefined) return Array.isArray(value) ? 'empty' : '[inherited]';
    if (property.get !== undefined || property.set !== undefined) return '[getter]';
    return this.#value(property.value);
  }

  #list(open: string, close: string, count: number, entries: Iterable<string>): string {
    const parts: string[] = [];
    let told = 0;
    for (const entry of entries) {
      if (told === this.#entries || this.#left <= 0) break;
      parts.push(entry);
      told += 1;
      this.#left -= 2;
    }
    if (told < count) parts.push(`… ${(count - told).toLocaleString('en')} more`);
    if (parts.length === 0) return open + close;
    const line = parts.join(', ');
    if (line.length <= WIDE && !line.includes('\n'))
      return open === '{' ? `{ ${line} }` : `${open}${line}${close}`;
    const indent = parts.map((part) => `  ${part.replaceAll('\n', '\n  ')}`).join(',\n');
    return `${open}\n${indent}\n${close}`;
  }
}

function dateText(date: Date): string {
  const ms = Date.prototype.getTime.call(date);
  return Number.isNaN(ms) ? '[invalid date]' : new Date(ms).toISOString();
}

function sizeOf(value: ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>): number {
  const prototype = types.isMap(value) ? Map.prototype : Set.prototype;
  return Reflect.get(prototype, 'size', value) as number;
}
