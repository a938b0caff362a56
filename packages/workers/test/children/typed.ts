/** TypeScript that Node 20 cannot run, and Node 24 can. */
import type { ThreadContext } from '@streamweld/workers';

export default function twice(n: number, _context: ThreadContext): string {
  return `${n * 2}`;
}
