/** Names come from anywhere: from files, topics, users. Here they are made harmless before they are shown. */

/** The order of writing turned round, marks that nobody sees, and the rest of what steers a terminal. */
const HIDDEN = /[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

/** Control characters as pictures of them, so that nothing of a name is obeyed. One line, whatever it was. */
export function harmless(text: string): string {
  return text
    .replace(/\p{Surrogate}/gu, '�')
    .replace(/\p{Cc}/gu, picture)
    .replace(HIDDEN, '�');
}

function picture(control: string): string {
  const code = control.codePointAt(0) ?? 0;
  if (code === 0x7f) return '␡';
  return code < 0x20 ? String.fromCodePoint(0x2400 + code) : '�';
}

/** Not longer than `max` characters, and told so by the last of them. */
export function shortened(text: string, max: number): string {
  const characters = Array.from(text);
  return characters.length <= max ? text : `${characters.slice(0, max - 1).join('')}…`;
}
