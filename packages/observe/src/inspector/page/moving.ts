/** A sample with what has moved since: counts, activities and buffers are new, what was worked out stays. */

import { ACTIVITIES, type WireMoved, type WireSample } from '../wire.ts';

export function afterMoving(sample: WireSample, moved: WireMoved): WireSample {
  const { elapsedMs, read, written, items, itemsIn, inFlight, activity, buffers } = moved;
  let next = 0;
  return {
    ...sample,
    elapsedMs,
    read,
    written,
    stages: sample.stages.map((stage, at) => ({
      ...stage,
      items: items[at] ?? stage.items,
      itemsIn: itemsIn[at] ?? stage.itemsIn,
      inFlight: inFlight[at] ?? stage.inFlight,
      activity: ACTIVITIES[Number(activity[at])] ?? stage.activity,
    })),
    edges: sample.edges.map((edge) => {
      if (edge.buffer === undefined) return edge;
      const [queued = 0, inFlight = 0, demand = 0] = buffers.slice(next, (next += 3));
      return { ...edge, buffer: { ...edge.buffer, queued, inFlight, demand } };
    }),
  };
}
