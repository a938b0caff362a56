/** Addresses: when two of them are one, so that each page is requested once. */

/** They tell who sent a visitor, and nothing about the page. */
const TRACKING = /^(utm_\w+|fbclid|gclid)$/;

/**
 * The address as it is kept and requested: absolute, without its fragment, without a name and password, without an
 * empty query and without what only tracks visitors.
 * @returns undefined for what is no address of the web: `mailto:`, `javascript:`, or nonsense
 */
export function normalise(href: string, base?: string): string | undefined {
  // Old pages have spaces and line ends within.
  if (!URL.canParse(href, base)) return undefined;
  const url = new URL(href, base);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  url.hash = '';
  url.username = '';
  url.password = '';
  // Only where there is something to remove: to touch the query writes it anew.
  for (const name of [...url.searchParams.keys()]) if (TRACKING.test(name)) url.searchParams.delete(name);
  if (url.search === '') url.search = '';
  return url.href;
}

/** The same for addresses that differ only in the order of their query, or in how a letter is escaped. */
export function keyOf(address: string): string {
  const url = new URL(address);
  url.searchParams.sort();
  url.pathname = url.pathname.replaceAll(/%[0-9a-f]{2}/gi, (escaped) => {
    const letter = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    return /[\w.~-]/.test(letter) ? letter : escaped.toUpperCase();
  });
  return url.href;
}

export function originOf(address: string): string {
  return new URL(address).origin;
}
