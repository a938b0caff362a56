/**
 * Numbers and dates as the bytes of their text, the same that `String` and `toISOString` make, without making the text:
 * each function writes at `at`, and answers where the next byte goes. There has to be room: 24 bytes are enough for each.
 */

const ZERO = 0x30;
const MINUS = 0x2d;
const POINT = 0x2e;
const COLON = 0x3a;
const BILLION = 1_000_000_000;

/** A whole number that is safe. */
function putInteger(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  if (rest < 0) {
    bytes[next++] = MINUS;
    rest = -rest;
  }
  if (rest < BILLION) return putDigits(bytes, next, rest | 0, widthOf(rest | 0));
  const billions = Math.floor(rest / BILLION);
  next = putDigits(bytes, next, billions, widthOf(billions));
  return putDigits(bytes, next, rest - billions * BILLION, 9);
}

/**
 * A number that is whole, or has at most three decimals; for another nothing is written.
 *
 * A decimal of at most 15 digits is the shortest text of its double: no other that is as short stands for the same one.
 */
export function putNumber(bytes: Uint8Array, at: number, value: number): number {
  if (Number.isSafeInteger(value)) return putInteger(bytes, at, value);
  const thousandths = Math.round(value * 1000);
  if (thousandths / 1000 !== value || !(thousandths < 1e15 && thousandths > -1e15)) return at;
  let rest = thousandths;
  let next = at;
  if (rest < 0) {
    bytes[next++] = MINUS;
    rest = -rest;
  }
  const whole = Math.floor(rest / 1000);
  next = putInteger(bytes, next, whole);
  bytes[next++] = POINT;
  const decimals = (rest - 1000 * whole) | 0;
  if (decimals % 10 !== 0) return putDigits(bytes, next, decimals, 3);
  return decimals % 100 === 0
    ? putDigits(bytes, next, (decimals / 100) | 0, 1)
    : putDigits(bytes, next, (decimals / 10) | 0, 2);
}

/** So many digits of a number below 2^31, with zeros in front. */
function putDigits(bytes: Uint8Array, at: number, number: number, width: number): number {
  let rest = number;
  for (let place = at + width - 1; place >= at; place--) {
    const tenth = (rest / 10) | 0;
    bytes[place] = ZERO + rest - 10 * tenth;
    rest = tenth;
  }
  return at + width;
}

function widthOf(number: number): number {
  if (number < 10) return 1;
  if (number < 100) return 2;
  if (number < 1000) return 3;
  if (number < 10_000) return 4;
  if (number < 100_000) return 5;
  if (number < 1_000_000) return 6;
  if (number < 10_000_000) return 7;
  if (number < 100_000_000) return 8;
  return number < BILLION ? 9 : 10;
}

const FIRST_DATE: number = Date.UTC(1000, 0, 1);
const END_OF_DATES: number = Date.UTC(10_000, 0, 1);
const DAY_MS = 86_400_000;

/** A time in milliseconds since 1970: `2026-11-24T08:30:00.000Z`. For one whose year has not four digits nothing is written. */
export function putDate(bytes: Uint8Array, at: number, time: number): number {
  if (!(time >= FIRST_DATE && time < END_OF_DATES)) return at;
  const days = Math.floor(time / DAY_MS);
  // Counted from the 1st of March of the year 0: so a leap day is the last of its year, and of its 4, 100 and 400 years.
  let rest = days + 719_468;
  const era = (rest / 146_097) | 0;
  rest -= era * 146_097;
  const year = ((rest - ((rest / 1460) | 0) + ((rest / 36_524) | 0) - ((rest / 146_096) | 0)) / 365) | 0;
  rest -= 365 * year + ((year / 4) | 0) - ((year / 100) | 0);
  // Months from March on, of which every five have 153 days.
  const month = ((5 * rest + 2) / 153) | 0;
  const day = rest - (((153 * month + 2) / 5) | 0) + 1;
  putDigits(bytes, at, year + 400 * era + (month < 10 ? 0 : 1), 4);
  bytes[at + 4] = MINUS;
  putDigits(bytes, at + 5, month < 10 ? month + 3 : month - 9, 2);
  bytes[at + 7] = MINUS;
  putDigits(bytes, at + 8, day, 2);
  bytes[at + 10] = 0x54;
  rest = time - days * DAY_MS;
  putDigits(bytes, at + 11, (rest / 3_600_000) | 0, 2);
  bytes[at + 13] = COLON;
  putDigits(bytes, at + 14, ((rest / 60_000) | 0) % 60, 2);
  bytes[at + 16] = COLON;
  putDigits(bytes, at + 17, ((rest / 1000) | 0) % 60, 2);
  bytes[at + 19] = POINT;
  putDigits(bytes, at + 20, rest % 1000, 3);
  bytes[at + 23] = 0x5a;
  return at + 24;
}
