/** A key as a path: safe to create on any file system, and never the path of another key. */

/** What a name in a folder may have is 255 bytes nearly everywhere; some of it is for what is put behind. */
const MAX_NAME_BYTES = 240;
/** What is not written as it is: `%` itself, what Windows has no place for, and what nobody could read. */
// oxlint-disable-next-line no-control-regex
const SPECIAL = /[%\\:*?"<>|\u0000-\u001f\u007f]/g;
/** Names of devices of Windows, with any ending. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/i;

/**
 * The path for a key, relative and with `/`: each part of the key is a folder, the last one the file. It never leaves the
 * folder it is put into, and no two keys have the same.
 *
 * What could mean something else is written as `%` and two hexadecimal digits: `..` becomes `.%2E`. An empty part is `%`,
 * and one that is longer than a name may be goes on in the folder within, behind `%+`.
 *
 * Two keys of which one goes on with a slash where the other ends (`a` and `a/b`) have paths that a file system cannot hold
 * both, and one that takes `A` for `a` holds only one of these.
 *
 *     toPath('logs/2024/a.log')   // 'logs/2024/a.log'
 *     toPath('../secrets')        // '.%2E/secrets'
 *     toPath('/a//b/')            // '%/a/%/b/%'
 */
export function toPath(key: string): string {
  return key.split('/').map(partOf).join('/');
}

function partOf(part: string): string {
  if (part === '') return '%';
  const names: string[] = [];
  let name = '';
  let bytes = 0;
  // By character: none is cut in two.
  for (const character of part) {
    const size = Buffer.byteLength(character.replace(SPECIAL, encode));
    if (bytes + size > MAX_NAME_BYTES) {
      names.push(nameOf(name));
      name = '';
      bytes = 0;
    }
    name += character;
    bytes += size;
  }
  return [...names, nameOf(name)].join('%+/');
}

function nameOf(text: string): string {
  return (
    text
      .replace(SPECIAL, encode)
      .replace(DEVICE, (device) => encode(device.charAt(0)) + device.slice(1))
      // Windows drops them at the end, and `.` and `..` are folders that are there.
      .replace(/[. ]$/, encode)
  );
}

function encode(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
