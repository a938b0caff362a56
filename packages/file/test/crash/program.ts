/**
 * The process that is killed: runs one variant in one folder, and kills itself at the point it was told.
 *
 *     program <variant> <folder>      STREAMWELD_KILL=data.write.half:3  STREAMWELD_TRACE=<file>
 */

import { appendFileSync, promises, readdirSync, readlinkSync } from 'node:fs';
import type { FileSystem } from '@streamweld/file';
import { DEFECTS } from './defects.ts';
import { withPoints } from './points.ts';
import { VARIANTS } from './variants.ts';

const [name = '', folder = ''] = process.argv.slice(2);
const [wanted, nth = '1'] = (process.env['STREAMWELD_KILL'] ?? '').split(':');
const trace = process.env['STREAMWELD_TRACE'];

// Row 96: whatever nobody waits for, or listens to too often, is a failure.
process.on('unhandledRejection', (reason) => complain(`unhandled rejection: ${String(reason)}`));
process.on('warning', (warning) => complain(`warning: ${warning.name}: ${warning.message}`));

function complain(text: string): void {
  console.error(text);
  process.exitCode = 9;
}

let toGo = Number(nth);
function reach(point: string): boolean {
  if (trace !== undefined) appendFileSync(trace, `${point}\n`);
  if (point !== wanted) return false;
  toGo -= 1;
  if (toGo > 0) return false;
  if (point.endsWith('.half')) return true;
  process.kill(process.pid, 'SIGKILL');
  return false;
}

const variant = VARIANTS[name] ?? DEFECTS[name];
if (variant === undefined) throw new Error(`There is no variant ${name}.`);
await variant.build(folder, withPoints(promises as FileSystem, reach)).run();

// Nothing is open any more, and nothing keeps the process alive; what has just ended gets its turn to say so.
await new Promise((resolve) => setImmediate(resolve));
const open = readdirSync('/proc/self/fd').flatMap((fd) => {
  try {
    const path = readlinkSync(`/proc/self/fd/${fd}`);
    return path.startsWith(folder) ? [path] : [];
  } catch {
    return [];
  }
});
if (open.length > 0) complain(`left open: ${open.join(', ')}`);
const busy = process
  .getActiveResourcesInfo()
  .filter((kind) => /Timeout|Immediate|FSReq|FileHandle/.test(kind));
if (busy.length > 0) complain(`left busy: ${busy.join(', ')}`);
