/** What apps ask of their arguments. */

import { resolve } from 'node:path';
import { ArgumentError } from './run-app.ts';

/** A path as it was meant where the command was typed: pnpm runs it in the folder of the repository. */
export function fromWhereItWasTyped(path: string): string {
  return resolve(process.env['INIT_CWD'] ?? '.', path);
}

/** @throws ArgumentError */
export function checkPath(option: string, text: string): string {
  if (text !== '') return text;
  throw new ArgumentError(`${option}: expected a path, got nothing.`);
}

/** A whole number, also as `1_000` or `1,000`. @throws ArgumentError */
export function checkWhole(option: string, text: string, least: number, most: number): number {
  const value = /^[\d_,]+$/.test(text) ? Number(text.replaceAll(/[_,](?=\d{3})/g, '')) : Number.NaN;
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new ArgumentError(`${option}: expected a whole number from ${least} to ${most}, got '${text}'.`);
}

/** The URL that was given, or that of STREAMWELD_POSTGRES_URL. It is not shown: it may hold a password. @throws ArgumentError */
export function checkPostgres(given: string | undefined): { readonly url: string } | 'own' {
  const [option, url] =
    given === undefined
      ? ['STREAMWELD_POSTGRES_URL', process.env['STREAMWELD_POSTGRES_URL'] || undefined]
      : ['--postgres', given];
  if (url === undefined) return 'own';
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) return { url };
  throw new ArgumentError(
    `${option}: expected a URL, postgres://user:password@host/database, got something else.`,
  );
}

/** @throws ArgumentError */
export function checkOneOf<const V extends string>(option: string, text: string, values: readonly V[]): V {
  const value = values.find((each) => each === text);
  if (value !== undefined) return value;
  throw new ArgumentError(`${option}: expected one of ${values.join(', ')}, got '${text}'.`);
}
