/** Who made the items of a batch: those whose headers carry a trace's context, as messages do, lead back to it. */

import {
  isSpanContextValid,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api';

/** As many as an SDK keeps of a span. */
const MOST = 128;
const MOST_LETTERS = 4096;

const HEADERS: TextMapGetter<Readonly<Record<string, unknown>>> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, key) => (Object.hasOwn(headers, key) ? textOf(headers[key]) : undefined),
};

/**
 * One for each of those that made them. Only `headers` of items are looked at, by the propagator that is registered, and
 * nothing of them is told but a trace's and a span's id, its flags and its state.
 */
export function linksOf(batch: readonly unknown[] | undefined): Link[] {
  const links = new Map<string, Link>();
  for (const item of batch ?? []) {
    const context = contextOf(item);
    if (context !== undefined) links.set(`${context.traceId} ${context.spanId}`, { context });
    if (links.size === MOST) break;
  }
  return [...links.values()];
}

function contextOf(item: unknown): SpanContext | undefined {
  try {
    const { headers } = (item ?? {}) as { readonly headers?: unknown };
    if (typeof headers !== 'object' || headers === null) return undefined;
    const context = trace.getSpanContext(
      propagation.extract(ROOT_CONTEXT, headers, HEADERS as TextMapGetter),
    );
    return context !== undefined && isSpanContextValid(context) ? context : undefined;
  } catch {
    // It throws when it is read.
    return undefined;
  }
}

/** Of several values the first. */
function textOf(value: unknown): string | undefined {
  const one: unknown = Array.isArray(value) ? value[0] : value;
  if (typeof one === 'string') return one.length > MOST_LETTERS ? undefined : one;
  return one instanceof Uint8Array && one.length <= MOST_LETTERS ? new TextDecoder().decode(one) : undefined;
}
