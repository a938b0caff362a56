/**
 * Where stages stand: in layers from left to right, each as far right as the longest way to it, and in a layer in the order
 * in which they came. A buffer stands before the stage it belongs to.
 *
 *     source ──► map ──► ▭ postgres          the gap before a layer is wider where it has buffers in it
 */

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly stages: ReadonlyMap<string, Box>;
  /** Many stages stand above each other: each is drawn with less. */
  readonly isCompact: boolean;
}

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly buffer?: unknown;
}

export const BUFFER_WIDTH = 108;
const STAGE_WIDTH = 204;
const GAP = 52;
const BUFFER_GAP = BUFFER_WIDTH + 92;
const MARGIN = 12;
/** More than so many in one layer. */
const MANY = 6;
const LOWEST = 240;

export function layOut(ids: readonly string[], edges: readonly Edge[]): Layout {
  const layers = layersOf(ids, edges);
  const isCompact = layers.some((layer) => layer.length > MANY);
  const height = isCompact ? 58 : 104;
  const gap = isCompact ? 10 : 22;
  const step = height + gap;
  const tallest = Math.max(0, ...layers.map((layer) => layer.length));
  const whole = Math.max(1, tallest) * step - gap;
  const stages = new Map<string, Box>();
  let x = MARGIN;
  layers.forEach((layer, index) => {
    if (index > 0) {
      const isBuffered = edges.some(({ to, buffer }) => buffer !== undefined && layer.includes(to));
      x += STAGE_WIDTH + (isBuffered ? BUFFER_GAP : GAP);
    }
    // In the middle, but where it is seen without scrolling.
    const top = MARGIN + Math.min((whole - (layer.length * step - gap)) / 2, LOWEST);
    layer.forEach((id, row) => stages.set(id, { x, y: top + row * step, width: STAGE_WIDTH, height }));
  });
  return { width: x + STAGE_WIDTH + MARGIN, height: whole + 2 * MARGIN, stages, isCompact };
}

function layersOf(ids: readonly string[], edges: readonly Edge[]): string[][] {
  const depths = new Map(ids.map((id) => [id, 0]));
  // As often as a way can be long: it ends even if the edges went in circles.
  for (let pass = 0; pass < ids.length; pass++) {
    let isDone = true;
    for (const { from, to } of edges) {
      const [before, at] = [depths.get(from), depths.get(to)];
      if (before === undefined || at === undefined || at > before) continue;
      depths.set(to, Math.min(before + 1, ids.length - 1));
      isDone = false;
    }
    if (isDone) break;
  }
  const layers: string[][] = [];
  for (const [id, depth] of depths) (layers[depth] ??= []).push(id);
  return layers.filter((layer) => layer !== undefined);
}
