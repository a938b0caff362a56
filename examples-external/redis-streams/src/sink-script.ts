/**
 * Entries and positions in one step: a script, which the server runs alone and writes to its log as one.
 *
 *     KEYS  the stream, the positions
 *     ARGV  epoch, the write before, this write, MAXLEN or '', how many lanes, lane, position, …, how many words, word, …
 *
 *     the positions, a hash:   epoch          raised by whoever takes the name over: an earlier run is fenced
 *                              write          which write was the last: a write that comes again is known by it,
 *                                             and one before this that the server has lost is missed
 *                              lane:<lane>    position, as JSON
 */

import { type Json, positionFromJson, positionToJson } from '@streamweld/core/connector';

export const SCRIPT = `
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind ~= 'none' and kind ~= 'stream' then return 'WRONGTYPE' end
local held = redis.call('HMGET', KEYS[2], 'epoch', 'write')
local epoch = tonumber(held[1] or '0')
if epoch > tonumber(ARGV[1]) then return 'FENCED' end
if epoch < tonumber(ARGV[1]) then return 'LOST' end
local write = held[2] or ''
if write == ARGV[3] then return 'HELD' end
if write ~= ARGV[2] then return 'LOST' end
local lanes = tonumber(ARGV[5])
local at = 6 + 2 * lanes
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  if ARGV[4] == '' then redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 1, at + words))
  else redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*', unpack(ARGV, at + 1, at + words)) end
  at = at + words + 1
end
for lane = 0, lanes - 1 do redis.call('HSET', KEYS[2], 'lane:' .. ARGV[6 + 2 * lane], ARGV[7 + 2 * lane]) end
redis.call('HSET', KEYS[2], 'write', ARGV[3])
return 'DONE'
`;

export type ScriptAnswer = 'DONE' | 'HELD' | 'FENCED' | 'LOST' | 'WRONGTYPE';

/** So many words of an entry fit on the stack of a script. */
export const MOST_WORDS = 2000;

/** Positions as words, in pairs. @throws StreamWeldError SW_POSITION_UNSTORABLE. */
export function positionWords(positions: ReadonlyMap<string, unknown>): string[] {
  return [...positions].flatMap(([lane, position]) => {
    const json: Json = positionToJson(position, `lane ${JSON.stringify(lane)}`);
    return [lane, JSON.stringify(json)];
  });
}

/** What HGETALL answers, as positions and the last write. */
export function toHeld(reply: unknown): { readonly positions: Map<string, unknown>; readonly write: string } {
  const flat = Array.isArray(reply)
    ? (reply as string[])
    : [...(reply instanceof Map ? reply : Object.entries(reply as object))].flat().map(String);
  const positions = new Map<string, unknown>();
  let write = '';
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const [field = '', value = ''] = [flat[at], flat[at + 1]];
    if (field === 'write') write = value;
    if (field.startsWith('lane:')) positions.set(field.slice(5), positionFromJson(JSON.parse(value)));
  }
  return { positions, write };
}
