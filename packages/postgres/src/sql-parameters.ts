/** Which parameters a statement asks for: `$1` in a text, a name or a comment is none. */

/** What is skipped, the longest first, and a parameter. A comment within a comment is looked at apart. */
const PIECES =
  /(?<escaped>\b[eE]'(?:[^'\\]|\\[^]|'')*')|(?<text>'(?:[^']|'')*')|(?<name>"(?:[^"]|"")*")|(?<line>--[^\n]*)|(?<comment>\/\*)|(?<tag>\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)|(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|\$(?<parameter>\d+)/g;

export function parametersOf(sql: string): ReadonlySet<number> {
  const found = new Set<number>();
  const pieces = new RegExp(PIECES);
  for (let match = pieces.exec(sql); match !== null; match = pieces.exec(sql)) {
    const { comment, tag, parameter } = match.groups as Record<string, string | undefined>;
    if (parameter !== undefined) {
      found.add(Number(parameter));
    } else if (comment !== undefined) {
      pieces.lastIndex = endOfComment(sql, pieces.lastIndex);
    } else if (tag !== undefined) {
      const end = sql.indexOf(tag, pieces.lastIndex);
      pieces.lastIndex = end < 0 ? sql.length : end + tag.length;
    }
  }
  return found;
}

/** Comments of this kind lie within each other. */
function endOfComment(sql: string, from: number): number {
  const ends = /\/\*|\*\//g;
  ends.lastIndex = from;
  for (let depth = 1; depth > 0; ) {
    const end = ends.exec(sql);
    if (end === null) return sql.length;
    depth += end[0] === '/*' ? 1 : -1;
  }
  return ends.lastIndex;
}
