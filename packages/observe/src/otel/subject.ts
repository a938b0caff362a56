/** One pipeline or dispatcher that is watched: its snapshots, and what its stages are called. */

import type { Attributes } from '@opentelemetry/api';
import type { DispatcherSnapshot, Operation, PipelineSnapshot, Watchable } from '@streamweld/core';
import { type MessagingOperation, type MessagingStages, messagingOf } from './messaging.ts';
import { ATTRIBUTES } from './names.ts';

export type Snapshot = PipelineSnapshot | DispatcherSnapshot;

interface Named {
  readonly id: string;
  readonly name: string;
  readonly partition?: string | number | undefined;
}

/** What is told of each pull, or each write, of one stage. */
export interface StageOperation {
  readonly stage: string;
  readonly attributes: Attributes;
  readonly messaging: MessagingOperation | undefined;
}

export class Subject {
  readonly target: Watchable;
  readonly #messaging: MessagingStages;
  /** By the ids of its snapshots. */
  readonly #stages = new Map<string, Attributes>();
  readonly #labels = new Set<string>();
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
    if (snapshot.name !== this.#name) {
      this.#name = snapshot.name;
      this.#stages.clear();
      this.#labels.clear();
      this.#operations.clear();
    }
    for (const stage of 'stages' in snapshot ? snapshot.stages : snapshot.sinks) this.#note(stage);
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
    this.#operations.set(key, operation);
    return operation;
  }

  /** The first of its name is called by it, for as long as it is watched; any other by its id, which has a number. */
  #note({ id, name, partition }: Named): void {
    if (this.#stages.has(id)) return;
    const label = this.#labels.has(name) ? id : name;
    this.#labels.add(label);
    const attributes = { ...this.attributes, [ATTRIBUTES.stage]: label };
    this.#stages.set(
      id,
      partition === undefined ? attributes : { ...attributes, [ATTRIBUTES.partition]: String(partition) },
    );
  }
}
