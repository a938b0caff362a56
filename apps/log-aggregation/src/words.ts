/** What a search looks for: words. */

/** No index takes words of any length. A longer one is left out: it cannot be searched for. */
const LONGEST = 200;

/** Letters and digits of any script, in small letters; everything else stands between words. */
export function wordsIn(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.filter((word) => word.length <= LONGEST);
}
