/** How many columns of a terminal a text takes. */

const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;
const NONE = /[\p{Mn}\p{Me}\p{Cf}]/u;

export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += widthOfOne(character);
  return width;
}

function widthOfOne(character: string): number {
  if (character >= ' ' && character <= '~') return 1;
  if (NONE.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** Not wider than `max`; what had to be cut ends in `…`. */
export function cutTo(text: string, max: number): string {
  if (max <= 0) return '';
  if (widthOf(text) <= max) return text;
  let cut = '';
  let width = 0;
  for (const character of text) {
    width += widthOfOne(character);
    if (width > max - 1) break;
    cut += character;
  }
  return `${cut}…`;
}

/** Exactly `width` wide, filled on the right; or on the left, for numbers. */
export function fitTo(text: string, width: number, side: 'left' | 'right' = 'left'): string {
  const cut = cutTo(text, width);
  const fill = ' '.repeat(Math.max(0, width - widthOf(cut)));
  return side === 'left' ? cut + fill : fill + cut;
}
