/** One pipeline or dispatcher that is watched: its snapshots, and what its stages are called. */

import type { Attributes } from '@opentelemetry/api';
import type { DispatcherSnapshot, Operation, PipelineSnapshot, Watchable } from '@streamweld/core';
import { type MessagingOperation, type MessagingStages, messagingOf } from './messaging.ts';
import { ATTRIBUTES } from './names.ts';

/** Kinds of operations of stages that are known by heart. */
const MOST_KNOWN = 1000;

export type Snapshot = PipelineSnapshot | DispatcherSnapshot;

/** What is told of each pull, or each write, of one stage. */
export interface StageOperation {
  readonly stage: string;
  readonly attributes: Attributes;
  readonly messaging: MessagingOperation | undefined;
}

export class Subject {
  readonly target: Watchable;
  readonly #messaging: MessagingStages;
  /** By the ids of the last snapshot. */
  readonly #stages = new Map<string, Attributes>();
  readonly #operations = new Map<string, StageOperation>();
  #name = '';

  constructor(target: Watchable, messaging: MessagingStages) {
    this.target = target;
    this.#messaging = messaging;
  }

  /** A snapshot, whose stages have their attributes from now on. */
  look(): Snapshot {
    const snapshot = this.target.snapshot() as Snapshot;
    // It can be named until it runs.
    this.#name = snapshot.name;
    this.#stages.clear();
    if ('stages' in snapshot) this.#noteStages(snapshot.stages);
    // Those of one name are counted together: a sink that left may come again.
    else for (const { id, name, partition } of snapshot.sinks) this.#note(id, name, partition);
    return snapshot;
  }

  get attributes(): Attributes {
    return { [ATTRIBUTES.pipeline]: this.#name };
  }

  /** Of a stage of the last look. */
  attributesOf(id: string): Attributes {
    return this.#stages.get(id) ?? this.attributes;
  }

  operationOf({ id, kind }: Operation): StageOperation {
    const key = `${kind} ${id}`;
    const known = this.#operations.get(key);
    if (known !== undefined) return known;
    this.look();
    const attributes = { ...this.attributesOf(id), [ATTRIBUTES.operation]: kind };
    const stage = String(this.attributesOf(id)[ATTRIBUTES.stage] ?? id);
    const given = Object.hasOwn(this.#messaging, stage) ? this.#messaging[stage] : undefined;
    const messaging = given === undefined ? undefined : messagingOf(given, kind);
    const operation = { stage, attributes, messaging };
    // Of a dispatcher whose sinks come and go there is no end to ids.
    if (this.#operations.size >= MOST_KNOWN) this.#operations.clear();
    this.#operations.set(key, operation);
    return operation;
  }

  /** The first of its name is called by it, any other by its id, which has a number. */
  #noteStages(stages: PipelineSnapshot['stages']): void {
    const names = new Set<string>();
    for (const { id, name } of stages) {
      this.#note(id, names.has(name) ? id : name, undefined);
      names.add(name);
    }
  }

  #note(id: string, label: string, partition: string | number | undefined): void {
    const attributes = { ...this.attributes, [ATTRIBUTES.stage]: label };
    this.#stages.set(
      id,
      partition === undefined ? attributes : { ...attributes, [ATTRIBUTES.partition]: String(partition) },
    );
  }
}
