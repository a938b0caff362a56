/** A span for each pull and each write: as many as there are batches, however many items. */

import {
  type Attributes,
  type Context,
  context,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
} from '@opentelemetry/api';
import type { Operation, OperationEnd } from '@streamweld/core';
import { errorTypeOf } from './error-type.ts';
import { linksOf } from './links.ts';
import { ATTRIBUTES, CONVENTIONS } from './names.ts';
import type { Subject } from './subject.ts';
import { Watches } from './watches.ts';

const watchers = new WeakMap<Tracer, Watches>();

/** What a tracer already watches goes on as it is. */
export function spansOn(tracer: Tracer): Watches {
  let watches = watchers.get(tracer);
  if (watches === undefined) {
    watches = new Watches((subject, reach) => attach(tracer, subject, reach));
    watchers.set(tracer, watches);
  }
  return watches;
}

function attach(tracer: Tracer, subject: Subject, reach: () => void): () => void {
  const spans = new Spans(tracer, subject, context.active());
  let isFirst = true;
  return subject.target.observe((operation) => {
    // Dispatchers may have come behind it since.
    if (isFirst) reach();
    isFirst = false;
    return spans.begin(operation);
  });
}

class Spans {
  readonly #tracer: Tracer;
  readonly #subject: Subject;
  /** What was active when it was asked for: what is active at a pull or a write is a matter of chance. */
  readonly #parent: Context;
  /** The last attempt of a batch that failed. */
  readonly #attempts = new WeakMap<readonly unknown[], SpanContext>();

  constructor(tracer: Tracer, subject: Subject, parent: Context) {
    this.#tracer = tracer;
    this.#subject = subject;
    this.#parent = parent;
  }

  begin(operation: Operation): (ended: OperationEnd) => void {
    const { kind, items, attempt, batch } = operation;
    const { stage, attributes, messaging } = this.#subject.operationOf(operation);
    const all: Attributes = { ...attributes, ...messaging?.attributes };
    if (kind === 'write') Object.assign(all, { [ATTRIBUTES.attempt]: attempt }, countOf(items, messaging));
    const name =
      messaging === undefined ? `${kind} ${stage}` : [messaging.name, messaging.destination].join(' ').trim();
    const spanKind = messaging === undefined ? SpanKind.INTERNAL : SpanKind.CLIENT;
    const span = this.#tracer.startSpan(name, { kind: spanKind, attributes: all }, this.#parent);
    if (span.isRecording()) {
      const before = batch === undefined ? undefined : this.#attempts.get(batch);
      span.addLinks([...(before === undefined ? [] : [{ context: before }]), ...linksOf(batch)]);
    }
    return (ended) => {
      if (kind === 'pull' && span.isRecording()) {
        span.setAttributes(countOf(ended.items, messaging));
        span.addLinks(linksOf(ended.batch));
      }
      if ('error' in ended && batch !== undefined) this.#attempts.set(batch, span.spanContext());
      finish(span, ended);
    };
  }
}

function countOf(items: number, messaging: object | undefined): Attributes {
  return messaging === undefined
    ? { [ATTRIBUTES.items]: items }
    : { [ATTRIBUTES.items]: items, [CONVENTIONS.ATTR_MESSAGING_BATCH_MESSAGE_COUNT]: items };
}

/** Without a message, which may quote anything. */
function finish(span: Span, ended: OperationEnd): void {
  if ('error' in ended) {
    span.setAttribute(CONVENTIONS.ATTR_ERROR_TYPE, errorTypeOf(ended.error));
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}
