/** One line for the terminal: pieces of text, each with its style, cut to the width before a style is put on. */

import { cutTo, widthOf } from './text-width.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

export interface Piece {
  readonly text: string;
  readonly style?: Style | undefined;
}

export type Line = readonly Piece[];

const CODES: Record<Style, readonly [on: number, off: number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

export function lineWidth(line: Line): number {
  return line.reduce((width, { text }) => width + widthOf(text), 0);
}

/** @param width the most columns it takes. Blanks at its end are left out. */
export function paint(line: Line, width: number, isColored: boolean): string {
  let left = width;
  const pieces: Piece[] = [];
  for (const piece of line) {
    if (left <= 0) break;
    const text = cutTo(piece.text, left);
    left -= widthOf(text);
    pieces.push({ ...piece, text });
  }
  const last = pieces.findLastIndex(({ text }) => text.trimEnd() !== '');
  return pieces
    .slice(0, last + 1)
    .map(({ text, style }, at) => put(at === last ? text.trimEnd() : text, isColored ? style : undefined))
    .join('');
}

function put(text: string, style: Style | undefined): string {
  if (style === undefined || text === '') return text;
  const [on, off] = CODES[style];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}
