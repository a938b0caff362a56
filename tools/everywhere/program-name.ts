/** @returns which program this runs in, and its version: `bun 1.4.5`; Bun and Deno also say that they are a Node. */
export function programName(): string {
  const { bun, deno, node } = process.versions as { bun?: string; deno?: string; node: string };
  if (bun !== undefined) return `bun ${bun}`;
  return deno === undefined ? `node ${node}` : `deno ${deno}`;
}
