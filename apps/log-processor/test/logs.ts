/** Logs for tests: lines as servers write them, and what they come to. */

/** @param number makes it another line than any other. */
export function line(number: number): string {
  const second = String(number % 60).padStart(2, '0');
  const minute = String(Math.floor(number / 60) % 60).padStart(2, '0');
  const status = number % 10 === 3 ? 404 : 200;
  const host = number % 4 === 0 ? '2001:db8::1' : `10.0.0.${number % 250}`;
  const size = status === 404 ? '-' : 100 + number;
  return `${host} - - [01/Dec/2026:12:${minute}:${second} +0000] "GET /page/${number % 17}?n=${number} HTTP/1.1" ${status} ${size} "-" "an \\"agent\\" ${number}"\n`;
}

export function lines(from: number, to: number): string {
  let text = '';
  for (let number = from; number < to; number++) text += line(number);
  return text;
}
