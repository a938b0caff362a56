/** Names of pipelines as names of files: any two stay two, on every file system, and none leaves its folder. */

import { createHash } from 'node:crypto';

/** Together with a version and an ending it stays below 255 bytes. */
const LONGEST = 160;
/** What Windows takes for a device, whatever ending it has. */
const DEVICES = /^(con|prn|aux|nul|com\d|lpt\d)$/;

/**
 * Small letters, digits, `-` and `_` stay; all else is escaped by its UTF-16 code, capitals too, for there are file
 * systems that do not tell them apart. What gets too long ends in its hash instead, after a `~` that no other has.
 */
export function fileNameOf(pipeline: string): string {
  let name = pipeline.replaceAll(/[^a-z0-9_-]/g, (unit) =>
    unit < '\x80' ? escaped('%', unit, 2) : escaped('%u', unit, 4),
  );
  if (DEVICES.test(name)) name = escaped('%', name[0] as string, 2) + name.slice(1);
  if (name.length <= LONGEST) return name;
  // By its code units: two names that differ in a lone surrogate are two.
  const hash = createHash('sha256').update(Buffer.from(pipeline, 'utf16le')).digest('hex');
  return `${name.slice(0, LONGEST - hash.length - 1)}~${hash}`;
}

function escaped(mark: string, unit: string, digits: number): string {
  return mark + unit.charCodeAt(0).toString(16).padStart(digits, '0');
}
