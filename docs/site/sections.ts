/** Parts of a document. */

/** What stands below a heading of the second level, up to the next. @throws Error where there is none */
export function sectionOf(text: string, heading: string): string {
  const start = text.indexOf(`\n## ${heading}\n`);
  if (start === -1) throw new Error(`There is no section "${heading}".`);
  const from = start + heading.length + 5;
  const end = text.indexOf('\n## ', from);
  return text.slice(from, end === -1 ? undefined : end);
}

export function fencesOf(text: string): string[] {
  return [...text.matchAll(/^```[\s\S]*?^```$/gmu)].map(([fence]) => fence);
}

/** Its first heading. */
export function titleOf(text: string): string {
  const [, title = ''] = /^# (.+)$/mu.exec(text) ?? [];
  return title.replace(/[`\\]/gu, '').trim();
}
