/** The items that move through a simulated topology: each knows where it came from. */

/** A source has at most so many lanes, a lane so many items, an item so many parts. */
const LANES = 4;
const LENGTH = 1024;
const PARTS = 16;

/** One item. `part` tells apart what a flatMap made of one: the parts of part p are 4p + 1, 4p + 2, … */
export interface Token {
  readonly id: number;
  readonly source: number;
  readonly lane: number;
  readonly n: number;
  readonly part: number;
}

export function createToken(source: number, lane: number, n: number, part: number = 0): Token {
  return { id: tokenId(source, lane, n, part), source, lane, n, part };
}

/** Within a lane, ids are in the order of the source. */
function tokenId(source: number, lane: number, n: number, part: number): number {
  return ((source * LANES + lane) * LENGTH + n) * PARTS + part;
}

/** The item that it is a part of, or that it is itself; then what that is a part of, and so on. */
export function ancestors({ source, lane, n, part }: Token): number[] {
  const ids: number[] = [];
  for (let at = part; ; at = (at - 1) >> 2) {
    ids.push(tokenId(source, lane, n, at));
    if (at === 0) return ids;
  }
}

/** Which lane of which source, as one number. */
export function laneOf(token: Token): number {
  return token.source * LANES + token.lane;
}

export function nameOf({ source, lane, n, part }: Token): string {
  return `s${source}/${lane}#${n}${part === 0 ? '' : `.${part}`}`;
}

/** Chance that only the item decides: the same in every run, with another salt another. */
export function hashOf(token: Token, salt: number): number {
  let hash = Math.imul(token.id ^ (salt * 0x9e37_79b1), 0x85eb_ca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
