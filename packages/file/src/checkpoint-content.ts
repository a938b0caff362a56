/** What stands in a file of a checkpoint: one JSON object whose last property is a checksum of all before it. */

import { createHash } from 'node:crypto';
import { positionFromJson, positionToJson } from '@streamweld/core/connector';

const FORMAT = 1;
const CHECKSUM = /^(\{.*),"checksum":"([0-9a-f]{64})"\}\n$/s;

export type Positions = ReadonlyMap<string, unknown>;

/** Positions as text, taken at once: whoever gave them may change them afterwards. */
export function encodePositions(positions: Positions): string {
  const lanes = [...positions].map(([lane, position]) => [
    lane,
    positionToJson(position, `lane ${JSON.stringify(lane)}`),
  ]);
  return JSON.stringify(lanes);
}

/** The name and the version are inside as well: a file under another name than its own is not taken for what it says. */
export function encodeCheckpoint(pipeline: string, version: number, positions: string): string {
  const head = `{"format":${FORMAT},"pipeline":${JSON.stringify(pipeline)},"version":${version},"positions":${positions}`;
  return `${head},"checksum":"${checksumOf(head)}"}\n`;
}

/** What a file holds: positions, or why there are none. `newer`: it was written by a later version of this package. */
export type Content =
  | { readonly kind: 'positions'; readonly positions: Positions }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'newer'; readonly format: number };

export function decodeCheckpoint(text: string, pipeline: string, version: number): Content {
  try {
    const content = JSON.parse(text) as Record<string, unknown>;
    const { format } = content;
    if (typeof format === 'number' && format > FORMAT) return { kind: 'newer', format };
    const [, head = '', checksum] = CHECKSUM.exec(text) ?? [];
    if (checksumOf(head) !== checksum || format !== FORMAT) return { kind: 'damaged' };
    if (content['pipeline'] !== pipeline || content['version'] !== version) return { kind: 'damaged' };
    const lanes = content['positions'] as [string, unknown][];
    return {
      kind: 'positions',
      positions: new Map(lanes.map(([lane, json]) => [lane, positionFromJson(json)])),
    };
  } catch {
    return { kind: 'damaged' };
  }
}

function checksumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
