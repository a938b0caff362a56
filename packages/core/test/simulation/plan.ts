/** Topologies by chance: what a seed stands for, and how it reads. */

import { Random } from '@streamweld/testing';

export interface SourcePlan {
  readonly index: number;
  readonly lanes: number;
  /** Items in each lane. */
  readonly length: number;
  readonly hasPositions: boolean;
  /** The most items of one answer. */
  readonly answers: number;
  readonly delayMs: number;
  /** It answers at once, without a promise. */
  readonly isSync: boolean;
  /** Now and then, a batch without items that only moves the position. */
  readonly emptyRate: number;
}

type OperatorPlan =
  | {
      readonly kind: 'map';
      readonly delayMs: number;
      readonly concurrency: number | undefined;
      readonly ordered: boolean;
      readonly onError: 'fail' | 'drop' | 'deadLetter';
    }
  | { readonly kind: 'filter'; readonly salt: number; readonly oneIn: number; readonly delayMs: number }
  | { readonly kind: 'flatMap'; readonly salt: number; readonly most: number }
  | { readonly kind: 'batch'; readonly size: number; readonly withinMs: number | undefined }
  | { readonly kind: 'through'; readonly holds: number }
  | {
      readonly kind: 'validate';
      readonly salt: number;
      readonly oneIn: number;
      readonly onInvalid: 'drop' | 'deadLetter';
    }
  | { readonly kind: 'drop'; readonly items: number }
  | { readonly kind: 'take'; readonly items: number }
  | { readonly kind: 'throttle'; readonly items: number; readonly perMs: number }
  | { readonly kind: 'tap'; readonly delayMs: number };

export interface PolicyPlan {
  readonly attempts: number | undefined;
  readonly backoffMs: number;
  readonly halve: boolean;
  readonly breaker: { readonly failures: number; readonly resetMs: number } | undefined;
  readonly perSecond: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly deadLetter: LetterPlan | undefined;
}

export interface LetterPlan {
  readonly delayMs: number;
  readonly durableMs: number;
  readonly hasFlush: boolean;
  readonly failRate: number;
}

export interface LeafPlan {
  readonly kind: 'leaf';
  readonly index: number;
  readonly mode: 'sync' | 'async' | 'durable' | 'keeps' | 'defer';
  readonly isAtomic: boolean;
  readonly names: boolean;
  readonly hasFlush: boolean;
  readonly concurrency: number | undefined;
  readonly maxItems: number | undefined;
  readonly lingerMs: number;
  readonly writeMs: number;
  readonly durableMs: number;
  readonly failRate: number;
  /** One item in so many is bad, for this sink, for ever; 0: none. */
  readonly poisonOneIn: number;
}

export interface ChildPlan {
  readonly node: NodePlan;
  readonly partition: string | number | undefined;
  readonly selectorSalt: number;
  readonly bufferSize: number | undefined;
  readonly maxConcurrency: number;
  readonly maxUncommitted: number | undefined;
  readonly overflow: 'wait' | 'dropOldest' | 'dropNewest' | 'fail';
  readonly onError: 'fail' | 'detach';
  readonly policies: PolicyPlan;
  /** Not there from the beginning, or not to the end. */
  readonly isVisitor: boolean;
  readonly canLeave: boolean;
}

export interface DispatcherPlan {
  readonly kind: 'broadcast' | 'demand' | 'partition' | 'keyed';
  readonly shuffle: boolean;
  readonly bufferSize: number;
  readonly batchSize: number;
  readonly names: readonly (string | number)[];
  readonly byHash: boolean;
  /** One item in so many fits no partition; 0: none. */
  readonly unknownOneIn: number;
  readonly onUnknown: 'drop' | 'sink';
  readonly unknown: LeafPlan | undefined;
  readonly children: readonly ChildPlan[];
}

export type NodePlan = LeafPlan | DispatcherPlan;

export interface FeedPlan {
  readonly sources: readonly SourcePlan[];
  readonly operators: readonly OperatorPlan[];
  readonly bufferSize: number;
  readonly maxConcurrency: number;
  readonly failFast: boolean;
  readonly closeMs: number;
  readonly maxUncommitted: number | undefined;
  readonly commitItems: number;
  readonly commitMs: number;
  readonly hasStore: boolean;
  readonly batchSize: number;
  readonly policies: PolicyPlan;
}

export interface Plan {
  readonly seed: number;
  readonly isExact: boolean;
  readonly feeds: readonly FeedPlan[];
  readonly target: NodePlan;
  /** What a pull, an open, a close, a commit fails with, of one. */
  readonly sourceRate: number;
  readonly edgeRate: number;
  readonly operatorRate: number;
  readonly hangRate: number;
  /** How long faults last, in virtual milliseconds, and between two that come from outside. */
  readonly stormMs: number;
  readonly controlMs: number;
  readonly stages: number;
}

const MOST_STAGES = 12;

class Planner {
  readonly random: Random;
  leaves = 0;
  sources = 0;
  stages = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  get room(): number {
    return MOST_STAGES - this.stages;
  }

  policies(isKeeping: boolean): PolicyPlan {
    const { random } = this;
    const has = random.chance(0.75);
    const hasBreaker = has && random.chance(0.3);
    const hasLetters = random.chance(0.45);
    return {
      attempts: has && random.chance(0.85) ? random.integer(1, 6) : undefined,
      backoffMs: random.pick([0, 1, 3, 10]),
      halve: random.chance(0.4),
      breaker: hasBreaker ? { failures: random.integer(1, 3), resetMs: random.pick([2, 5, 20]) } : undefined,
      perSecond: has && random.chance(0.15) ? random.pick([500, 3000]) : undefined,
      timeoutMs: has && !isKeeping && random.chance(0.25) ? random.pick([3, 6, 15]) : undefined,
      deadLetter: hasLetters
        ? {
            delayMs: random.pick([0, 1, 5]),
            durableMs: random.pick([0, 0, 6, 25]),
            hasFlush: random.chance(0.5),
            failRate: random.pick([0, 0, 0.05]),
          }
        : undefined,
    };
  }

  leaf(isKeeping: boolean, policies: PolicyPlan, rate: number): LeafPlan {
    const { random } = this;
    this.stages += 1;
    const isAtomic = isKeeping || random.chance(0.4);
    const names = isKeeping || random.chance(0.4);
    const canIsolate = isAtomic || names || (policies.halve && policies.attempts !== undefined);
    const mode = isKeeping ? 'keeps' : random.pick(['sync', 'async', 'async', 'durable', 'defer'] as const);
    return {
      kind: 'leaf',
      index: this.leaves++,
      mode,
      isAtomic,
      names,
      hasFlush: random.chance(0.5),
      concurrency: random.chance(0.25) ? random.integer(1, 2) : undefined,
      maxItems: random.chance(0.5) ? random.integer(1, 9) : undefined,
      lingerMs: random.pick([0, 0, 0, 2]),
      writeMs: random.pick([0, 1, 2, 4, 8]),
      durableMs: random.pick([1, 5, 20]),
      failRate: rate,
      poisonOneIn: policies.deadLetter !== undefined && canIsolate ? random.pick([0, 0, 5, 15]) : 0,
    };
  }

  /** @param mayJoin whether items of several source batches may be joined: sinks that are ahead of others forbid it. */
  operators(isExact: boolean, mayJoin: boolean, hasLetters: boolean, most: number): OperatorPlan[] {
    const { random } = this;
    const operators: OperatorPlan[] = [];
    const count = random.pick([0, 0, 1, 1, 2, 3, 5]);
    let flatMaps = 0;
    for (let at = 0; at < Math.min(count, most); at++) {
      const delayMs = random.pick([0, 0, 1, 4]);
      const salt = random.integer(1, 1000);
      switch (random.integer(0, 10)) {
        case 0:
        case 1:
          operators.push({
            kind: 'map',
            delayMs,
            concurrency: random.chance(0.5) ? random.integer(1, 4) : undefined,
            ordered: isExact || random.chance(0.7),
            onError: random.pick(hasLetters ? ['fail', 'drop', 'deadLetter'] : ['fail', 'drop']),
          });
          break;
        case 2:
          operators.push({ kind: 'filter', salt, oneIn: random.integer(2, 5), delayMs });
          break;
        case 3:
          if (flatMaps++ > 0) break;
          operators.push({ kind: 'flatMap', salt, most: random.integer(1, 3) });
          break;
        case 4:
          if (!mayJoin) break;
          operators.push({
            kind: 'batch',
            size: random.integer(1, 6),
            withinMs: random.chance(0.7) ? random.integer(1, 9) : undefined,
          });
          break;
        case 5:
          if (!mayJoin) break;
          // What is held back to the end is never whole, and would have to fit the buffer.
          operators.push({ kind: 'through', holds: random.integer(0, isExact ? 0 : 3) });
          break;
        case 6:
          operators.push({
            kind: 'validate',
            salt,
            oneIn: random.integer(2, 8),
            onInvalid: hasLetters && random.chance(0.6) ? 'deadLetter' : 'drop',
          });
          break;
        case 7:
          if (!isExact) operators.push({ kind: 'drop', items: random.integer(1, 5) });
          break;
        case 8:
          if (!isExact && random.chance(0.5)) operators.push({ kind: 'take', items: random.integer(20, 60) });
          break;
        case 9:
          operators.push({ kind: 'throttle', items: random.integer(1, 8), perMs: random.integer(1, 4) });
          break;
        default:
          operators.push({ kind: 'tap', delayMs });
      }
    }
    this.stages += operators.length;
    return operators;
  }

  source(mustHavePositions: boolean): SourcePlan {
    const { random } = this;
    return {
      index: this.sources++,
      lanes: random.pick([1, 1, 2, 4]),
      length: random.pick([0, 8, 15, 25, 40]),
      hasPositions: mustHavePositions || random.chance(0.85),
      answers: random.pick([1, 3, 7, 20]),
      delayMs: random.pick([0, 0, 1, 3, 8]),
      isSync: random.chance(0.35),
      emptyRate: random.pick([0, 0, 0.15]),
    };
  }

  feed(isExact: boolean, leafPolicies: PolicyPlan | undefined): FeedPlan {
    const { random } = this;
    const policies = leafPolicies ?? { ...NO_POLICIES, deadLetter: this.policies(false).deadLetter };
    // A checkpoint needs positions from every source.
    const hasStore = isExact || random.chance(0.6);
    const sources = [this.source(hasStore)];
    while (sources.length < 3 && random.chance(0.2)) sources.push(this.source(hasStore));
    return {
      sources,
      operators: this.operators(
        isExact,
        !isExact || leafPolicies !== undefined,
        policies.deadLetter !== undefined,
        Math.min(6, this.room - 1),
      ),
      bufferSize: isExact ? random.pick([200, 400]) : random.pick([1, 2, 5, 10, 30, 200]),
      maxConcurrency: random.pick([1, 1, 2, 4]),
      failFast: random.chance(0.8),
      closeMs: random.pick([5, 20, 60]),
      maxUncommitted: random.chance(0.3) ? random.integer(1, 12) : undefined,
      commitItems: random.pick([1, 3, 10, 1000]),
      commitMs: random.pick([1, 5, 40]),
      hasStore,
      batchSize: random.integer(1, 12),
      policies,
    };
  }

  child(kind: DispatcherPlan['kind'], isExact: boolean, depth: number, at: number): ChildPlan {
    const { random } = this;
    const rate = this.rate();
    const isNested = !isExact && depth < 2 && this.room > 3 && random.chance(0.2);
    const policies = isNested ? NO_POLICIES : this.policies(isExact);
    const node = isNested
      ? this.dispatcher(random.pick(KINDS), false, depth + 1)
      : this.leaf(isExact, policies, rate);
    const isLast = at > 0;
    const isVisitor = !isNested && !isExact && isLast && kind === 'broadcast' && random.chance(0.35);
    return {
      node,
      partition: undefined,
      selectorSalt: kind === 'broadcast' && random.chance(0.3) ? random.integer(1, 1000) : 0,
      bufferSize: isExact ? 200 : random.pick([undefined, 1, 4, 12]),
      maxConcurrency: isExact || kind === 'partition' ? 1 : random.pick([1, 1, 2, 3]),
      maxUncommitted: random.chance(0.3) ? random.integer(1, 8) : undefined,
      overflow:
        !isExact && !isNested && (kind === 'broadcast' || kind === 'partition') && random.chance(0.15)
          ? random.pick(['dropOldest', 'dropNewest'])
          : 'wait',
      onError:
        !isExact && !isNested && isLast && kind !== 'partition' && random.chance(0.4) ? 'detach' : 'fail',
      policies,
      isVisitor,
      canLeave: !isNested && !isExact && kind !== 'broadcast',
    };
  }

  dispatcher(kind: DispatcherPlan['kind'], isExact: boolean, depth: number): DispatcherPlan {
    const { random } = this;
    this.stages += 1;
    const isPartitioned = kind === 'partition' || kind === 'keyed';
    const partitions = isPartitioned ? random.integer(1, Math.max(1, Math.min(3, this.room))) : 0;
    const byHash = isPartitioned && random.chance(0.4);
    const names = Array.from({ length: partitions }, (_, at) => (byHash ? at : `p${at}`));
    const children: ChildPlan[] = [];
    if (isPartitioned) {
      for (const partition of names) children.push({ ...this.child(kind, isExact, depth, 0), partition });
      if (kind === 'keyed') {
        for (const partition of names) {
          if (this.room < 1 || !random.chance(0.5)) continue;
          const more = this.child(kind, isExact, 9, 1);
          children.push({ ...more, partition });
        }
      }
    } else {
      const count = random.integer(1, Math.max(1, Math.min(4, this.room)));
      for (let at = 0; at < count; at++) {
        if (at > 0 && this.room < 1) break;
        children.push(this.child(kind, isExact, depth, at));
      }
    }
    const hasUnknown = isPartitioned && !byHash && random.chance(0.3);
    const onUnknown = isExact || this.room < 1 || random.chance(0.5) ? 'drop' : 'sink';
    return {
      kind,
      shuffle: random.chance(0.5),
      bufferSize: isExact ? 200 : random.integer(1, 12),
      batchSize: random.integer(1, 12),
      names,
      byHash,
      unknownOneIn: hasUnknown ? random.integer(3, 9) : 0,
      onUnknown,
      unknown: hasUnknown && onUnknown === 'sink' ? this.leaf(false, NO_POLICIES, 0) : undefined,
      children,
    };
  }

  rate(): number {
    return this.random.pick([0, 0.1, 0.2, 0.3, 0.4]);
  }
}

const KINDS = ['broadcast', 'demand', 'partition', 'keyed'] as const;

const NO_POLICIES: PolicyPlan = {
  attempts: undefined,
  backoffMs: 0,
  halve: false,
  breaker: undefined,
  perSecond: undefined,
  timeoutMs: undefined,
  deadLetter: undefined,
};

export function planOf(seed: number): Plan {
  // What came out too large is thrown again.
  for (let salt = 0; ; salt++) {
    const plan = throwPlan(seed, new Planner(seed ^ Math.imul(salt, 0x3c6e_f372)));
    if (plan.stages <= MOST_STAGES) return plan;
  }
}

function throwPlan(seed: number, planner: Planner): Plan {
  const { random } = planner;
  const isExact = random.chance(0.25);
  const isPlain = random.chance(0.45);
  let target: NodePlan;
  const feeds: FeedPlan[] = [];
  if (isPlain) {
    const policies = planner.policies(isExact);
    target = planner.leaf(isExact, policies, planner.rate());
    feeds.push(planner.feed(isExact, policies));
  } else {
    const kind = isExact ? random.pick(['broadcast', 'partition'] as const) : random.pick(KINDS);
    target = planner.dispatcher(kind, isExact, 0);
    const count = isExact ? 1 : random.pick([1, 1, 2, 3]);
    for (let at = 0; at < count; at++) feeds.push(planner.feed(isExact, undefined));
  }
  return {
    seed,
    isExact,
    feeds,
    target,
    sourceRate: random.pick([0, 0.02, 0.06]),
    edgeRate: random.pick([0, 0.05, 0.15]),
    operatorRate: random.pick([0, 0.005, 0.03]),
    hangRate: random.pick([0, 0.02, 0.06]),
    stormMs: random.pick([20, 50, 100]),
    controlMs: random.pick([3, 5, 10]),
    stages: planner.stages,
  };
}

/** The topology as text: what is not the default. */
export function describePlan(plan: Plan): string {
  const lines = [
    `seed ${plan.seed}: ${plan.stages} stages${plan.isExact ? ', exactly once' : ''}, faults for ${plan.stormMs} ms`,
  ];
  for (const feed of plan.feeds) {
    const { sources, operators, policies, ...rest } = feed;
    lines.push(`  pipeline ${show(rest)}`);
    for (const source of sources) lines.push(`    source ${show(source)}`);
    for (const operator of operators) lines.push(`    ─► ${show(operator)}`);
    lines.push(`    policies ${show(policies)}`);
  }
  describeNode(plan.target, '  ', lines);
  return lines.join('\n');
}

function describeNode(node: NodePlan, indent: string, lines: string[]): void {
  if (node.kind === 'leaf') {
    lines.push(`${indent}─► sink ${show(node)}`);
    return;
  }
  const { children, unknown, ...rest } = node;
  lines.push(`${indent}─► dispatcher ${show(rest)}`);
  for (const { node: child, ...options } of children) {
    lines.push(`${indent}  subscription ${show(options)}`);
    describeNode(child, `${indent}    `, lines);
  }
  if (unknown !== undefined) describeNode(unknown, `${indent}  unknown `, lines);
}

function show(value: object): string {
  return JSON.stringify(value, (_, it: unknown) => (it === 0 || it === false ? undefined : it)).replaceAll(
    '"',
    '',
  );
}
