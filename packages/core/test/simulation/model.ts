/** What is owed: which items are durable where, which were dropped with consent, and so how far a position may go. */

import { hashKey } from '../../src/dispatch/hash.ts';
import type { ChildPlan, DispatcherPlan, FeedPlan, LeafPlan, NodePlan, Plan, SourcePlan } from './plan.ts';
import { ancestors, createToken, hashOf, laneOf, nameOf, type Token } from './token.ts';
import type { World } from './world.ts';

/** How many different keys there are. */
const KEYS = 5;

export const keyOf = (token: Token): number => token.n % KEYS;

/** Items that have to be written in order among each other: those of one lane, or of one key of it. */
export class Domain {
  readonly #isKeyed: boolean;
  /** By lane or key: the last item that was begun, and that landed, for the first time. */
  readonly begun: Map<number, number> = new Map();
  readonly landed: Map<number, number> = new Map();

  constructor(isKeyed: boolean) {
    this.#isKeyed = isKeyed;
  }

  of(token: Token): number {
    return laneOf(token) * KEYS + (this.#isKeyed ? keyOf(token) : 0);
  }

  clear(): void {
    this.begun.clear();
    this.landed.clear();
  }
}

/** What a dead letter holds. */
export class LetterState {
  readonly durable: Set<number> = new Set();
  /** Given to it by the process that lives. */
  readonly given: Set<number> = new Set();
  /** Of whose errors it may hold items. */
  readonly blamed: Set<number> = new Set();
  /** Whoever fills it consents to losing whatever its sink could not take. */
  consents = false;
  put = 0;

  holds(token: Token): boolean {
    return this.durable.size > 0 && ancestors(token).some((id) => this.durable.has(id));
  }
}

/** A sink, over all its processes. */
export class LeafState {
  readonly plan: LeafPlan;
  readonly child: ChildPlan | undefined;
  readonly letters: LetterState | undefined;
  /** By item: the process that wrote it last. */
  readonly landed: Map<number, number> = new Map();
  /** Items that an overflow dropped. */
  readonly dropped: Set<number> = new Set();
  /** Exactly once: the positions that it keeps. */
  readonly positions: Map<string, number> = new Map();
  readonly keptUpTo: Map<string, number> = new Map();
  /** Items that it lost, and that somebody consented to losing. */
  readonly excused: Set<number> = new Set();
  /** Items that the process which lives has given to it. */
  readonly given: Set<number> = new Set();
  /** As many as the reports told of. */
  reportedLost = 0;
  hasFailed = false;
  /** Whether a sink of it was detached, or reported a loss as it left, in the process that lives: otherwise nothing may be lost. */
  mayHaveLost: () => boolean = () => false;
  domain: Domain | undefined;
  /** Others that must not have an item which it has. */
  exclusive: LeafState[] = [];
  wants: (token: Token) => boolean = () => true;

  constructor(plan: LeafPlan, child: ChildPlan | undefined, letters: LetterState | undefined) {
    this.plan = plan;
    this.child = child;
    this.letters = letters;
    if (letters !== undefined && this.consents) letters.consents = true;
  }

  get consents(): boolean {
    return this.child?.onError === 'detach';
  }

  /** A process begins. */
  restart(): void {
    this.given.clear();
    this.mayHaveLost = () => false;
  }

  isPoison(token: Token): boolean {
    const { poisonOneIn, index } = this.plan;
    return poisonOneIn > 0 && hashOf(token, 31 + index) % poisonOneIn === 0;
  }

  has(token: Token): boolean {
    return this.landed.has(token.id) || this.dropped.has(token.id) || this.letters?.holds(token) === true;
  }
}

/** Which items the process that lives has begun to write, by sink. */
class Begun {
  readonly #ids: Map<Domain | LeafState, Set<number>> = new Map();

  has(leaf: LeafState, id: number): boolean {
    return this.#ids.get(leaf.domain ?? leaf)?.has(id) === true;
  }

  add(leaf: LeafState, id: number): void {
    const key = leaf.domain ?? leaf;
    const ids = this.#ids.get(key);
    if (ids === undefined) this.#ids.set(key, new Set([id]));
    else ids.add(id);
  }

  clear(): void {
    this.#ids.clear();
  }
}

export interface BranchState {
  readonly plan: ChildPlan;
  readonly node: NodeState;
}

export interface DispatcherState {
  readonly plan: DispatcherPlan;
  readonly branches: readonly BranchState[];
  readonly unknown: LeafState | undefined;
}

export type NodeState = LeafState | DispatcherState;

export class SourceState {
  readonly plan: SourcePlan;
  readonly feed: FeedState;
  /** By lane: up to where everything is done, was committed to it, and was handed out. */
  readonly done: number[];
  readonly committed: number[];
  readonly handedOut: number[];

  constructor(plan: SourcePlan, feed: FeedState) {
    this.plan = plan;
    this.feed = feed;
    this.done = Array<number>(plan.lanes).fill(0);
    this.committed = [...this.done];
    this.handedOut = [...this.done];
  }
}

interface TakeState {
  readonly items: number;
  readonly passed: Set<number>;
}

export class FeedState {
  readonly plan: FeedPlan;
  readonly index: number;
  readonly letters: LetterState | undefined;
  readonly sources: SourceState[];
  /** What its store holds. */
  readonly saved: Map<string, number> = new Map();
  /** Items that an operator dropped, whatever they are. */
  readonly excused: Set<number> = new Set();
  isFinished = false;
  /** What passed each take, in every process. */
  #takes: TakeState[] = [];

  constructor(plan: FeedPlan, index: number) {
    this.plan = plan;
    this.index = index;
    this.letters = plan.policies.deadLetter === undefined ? undefined : new LetterState();
    this.sources = plan.sources.map((source) => new SourceState(source, this));
  }

  beginTake(items: number): TakeState {
    const take = { items, passed: new Set<number>() };
    this.#takes.push(take);
    return take;
  }

  /** A process begins: its takes count from nothing. */
  restart(): void {
    this.#takes = [];
  }

  /** A take that has enough lets go of what did not pass it: of that, nothing more is wanted. */
  isLeftByTake(token: Token): boolean {
    return this.#takes.some(
      ({ items, passed }) => passed.size >= items && !ancestors(token).some((id) => passed.has(id)),
    );
  }

  get takes(): boolean {
    return this.plan.operators.some(({ kind }) => kind === 'take');
  }
}

export class Model {
  readonly world: World;
  readonly feeds: FeedState[];
  readonly target: NodeState;
  readonly leaves: LeafState[] = [];
  readonly domains: Domain[] = [];
  /** Items that the process which lives may write again: a write of them failed in part, or was given up. */
  readonly mayRepeat: Set<number> = new Set();
  readonly begun: Begun = new Begun();
  readonly isExact: boolean;
  /** Items that a position passed while nobody had told yet what became of them. */
  readonly #doubts: { readonly feed: FeedState; readonly token: Token; readonly rule: string }[] = [];

  constructor(world: World, plan: Plan) {
    this.world = world;
    this.isExact = plan.isExact;
    this.feeds = plan.feeds.map((feed, index) => new FeedState(feed, index));
    const areOrdered = plan.feeds.every(
      ({ operators, maxConcurrency }) =>
        operators.every((operator) => operator.kind !== 'map' || operator.ordered) &&
        (plan.target.kind !== 'leaf' || maxConcurrency === 1 || plan.target.concurrency === 1),
    );
    this.target = this.#build(plan.target, undefined, areOrdered || plan.isExact, () => true);
  }

  #build(
    plan: NodePlan,
    child: ChildPlan | undefined,
    isOrdered: boolean,
    wants: (token: Token) => boolean,
  ): NodeState {
    if (plan.kind === 'leaf') {
      const own = child?.policies.deadLetter === undefined ? undefined : new LetterState();
      const leaf = new LeafState(plan, child, child === undefined ? this.feeds[0]?.letters : own);
      leaf.wants = wants;
      if (isOrdered) leaf.domain = this.#domain(false);
      this.leaves.push(leaf);
      return leaf;
    }
    const { kind } = plan;
    const domains = new Map<string | number | undefined, Domain>();
    const branches = plan.children.map((each): BranchState => {
      const keeps = isOrdered && kind !== 'demand' && each.maxConcurrency === 1 && kind !== 'keyed';
      const node = this.#build(
        each.node,
        each,
        keeps,
        (token) => wants(token) && wantedBy(plan, each, token),
      );
      if (kind === 'keyed' && isOrdered && node instanceof LeafState) {
        const domain = domains.get(each.partition) ?? this.#domain(true);
        domains.set(each.partition, domain);
        node.domain = domain;
      }
      return { plan: each, node };
    });
    if (kind !== 'broadcast') {
      for (const one of branches) {
        for (const other of branches) {
          if (one === other) continue;
          for (const leaf of leavesOf(one.node)) leaf.exclusive.push(...leavesOf(other.node));
        }
      }
    }
    const unknown =
      plan.unknown === undefined
        ? undefined
        : (this.#build(plan.unknown, undefined, false, () => true) as LeafState);
    return { plan, branches, unknown };
  }

  #domain(isKeyed: boolean): Domain {
    const domain = new Domain(isKeyed);
    this.domains.push(domain);
    return domain;
  }

  /** A new process begins. */
  restart(): void {
    this.mayRepeat.clear();
    this.begun.clear();
    for (const domain of this.domains) domain.clear();
    for (const feed of this.feeds) feed.restart();
    for (const leaf of this.leaves) leaf.restart();
    for (const letters of this.allLetters) letters.given.clear();
  }

  get allLetters(): LetterState[] {
    return [...this.feeds, ...this.leaves].flatMap(({ letters }) => (letters === undefined ? [] : [letters]));
  }

  /** Everything before the position must be done. */
  checkPosition(source: SourceState, lane: number, position: number, what: string): void {
    const { done, plan, handedOut } = source;
    this.world.check(
      position <= (handedOut[lane] as number),
      `${what}: position ${position} of s${plan.index}/${lane} was never handed out`,
    );
    while ((done[lane] as number) < position) {
      const token = createToken(plan.index, lane, done[lane] as number);
      const missing = this.missing(source.feed, token);
      if (missing !== undefined) {
        const rule = `${what}: position ${position} passes ${missing}, which is not durable (S8)`;
        if (!this.#tellsLate(source.feed)) {
          this.world.break(rule);
          return;
        }
        this.#doubts.push({ feed: source.feed, token, rule });
        this.world.after(0, () => this.settleDoubts());
      }
      done[lane] = (done[lane] as number) + 1;
    }
  }

  /** Whoever lets go of an item on purpose (an overflow, a take that has enough, a sink that is detached) tells of it when it is done. */
  #tellsLate(feed: FeedState): boolean {
    if (feed.takes) return true;
    return this.leaves.some(
      ({ child, consents }) => consents || (child !== undefined && child.overflow !== 'wait'),
    );
  }

  /** By now it must have been told. */
  settleDoubts(): void {
    for (const { feed, token, rule } of this.#doubts.splice(0))
      this.world.check(this.missing(feed, token) === undefined, rule);
  }

  /** What of an item is nowhere it should be. */
  missing(feed: FeedState, root: Token): string | undefined {
    for (const token of this.image(feed, root)) {
      if (this.isExcused(feed, token) || this.#isDelivered(token, this.target)) continue;
      return nameOf(token);
    }
    return undefined;
  }

  isExcused(feed: FeedState, token: Token): boolean {
    const { excused, letters } = feed;
    if (feed.takes && feed.isLeftByTake(token)) return true;
    if (letters?.holds(token) === true) return true;
    return excused.size > 0 && ancestors(token).some((id) => excused.has(id));
  }

  /** What the operators make of an item, as arrays would. */
  image(feed: FeedState, root: Token): readonly Token[] {
    let tokens: readonly Token[] = [root];
    for (const operator of feed.plan.operators) {
      if (operator.kind === 'filter')
        tokens = tokens.filter((token) => hashOf(token, operator.salt) % operator.oneIn !== 0);
      else if (operator.kind === 'flatMap')
        tokens = tokens.flatMap((token) => partsOf(token, operator.salt, operator.most));
      else if (operator.kind === 'validate' && operator.onInvalid === 'drop')
        tokens = tokens.filter((token) => hashOf(token, operator.salt) % operator.oneIn !== 0);
    }
    return tokens;
  }

  #isDelivered(token: Token, node: NodeState): boolean {
    if (node instanceof LeafState) {
      if (node.has(token)) return true;
      if (!node.consents || !node.mayHaveLost()) return false;
      // What came when it was detached was none of its own.
      if (node.given.has(token.id)) node.excused.add(token.id);
      return true;
    }
    const { plan, branches, unknown } = node;
    if (plan.kind === 'broadcast') {
      return branches.every(
        ({ plan: each, node: below }) =>
          each.isVisitor || !wantedBy(plan, each, token) || this.#isDelivered(token, below),
      );
    }
    if (isUnknown(plan, token)) return plan.onUnknown === 'drop' || unknown?.has(token) === true;
    const able = branches.filter(({ plan: each }) => wantedBy(plan, each, token));
    // Where it really is comes before where its loss was consented to.
    return (
      able.some(({ node: below }) =>
        !(below instanceof LeafState) || below.has(token) ? this.#isDelivered(token, below) : false,
      ) || able.some(({ node: below }) => this.#isDelivered(token, below))
    );
  }

  /** A sink keeps a position: it must have everything before it that it was to have. */
  checkKept(leaf: LeafState, source: SourceState, lane: number, label: string, position: number): void {
    const from = leaf.keptUpTo.get(label) ?? 0;
    for (let n = from; n < position; n++) {
      for (const token of this.image(source.feed, createToken(source.plan.index, lane, n))) {
        if (!leaf.wants(token) || leaf.has(token) || this.isExcused(source.feed, token)) continue;
        this.world.break(`sink ${leaf.plan.index} keeps position ${position} past ${nameOf(token)} (K12)`);
        return;
      }
    }
    leaf.keptUpTo.set(label, Math.max(from, position));
  }

  /** Which lane of which source a label stands for. */
  find(feed: FeedState, label: string): { readonly source: SourceState; readonly lane: number } | undefined {
    const slash = label.indexOf('/');
    const name = slash < 0 ? undefined : label.slice(0, slash);
    const source = feed.sources.find(({ plan }) => name === undefined || name === `s${plan.index}`);
    const lane = laneNumber(label.slice(slash + 1));
    return source === undefined ? undefined : { source, lane };
  }
}

export const laneName = (plan: SourcePlan, lane: number): string => (plan.lanes === 1 ? '' : `l${lane}`);

const laneNumber = (name: string): number => (name === '' ? 0 : Number(name.slice(1)));

function leavesOf(node: NodeState): LeafState[] {
  if (node instanceof LeafState) return [node];
  return node.branches.flatMap(({ node: below }) => leavesOf(below));
}

export function partsOf(token: Token, salt: number, most: number): Token[] {
  const count = hashOf(token, salt) % (most + 1);
  return Array.from({ length: count }, (_, at) =>
    createToken(token.source, token.lane, token.n, token.part * 4 + at + 1),
  );
}

function isUnknown(plan: DispatcherPlan, token: Token): boolean {
  return plan.unknownOneIn > 0 && hashOf(token, 77) % plan.unknownOneIn === 0;
}

/** By name where there are names, and by hash as the dispatcher itself does where there is a count. */
export function routeOf(plan: DispatcherPlan, token: Token): string | number {
  if (plan.byHash) return hashKey(keyOf(token)) % plan.names.length;
  if (isUnknown(plan, token)) return 'nowhere';
  return plan.names[keyOf(token) % plan.names.length] as string | number;
}

export function isSelected(child: ChildPlan, token: Token): boolean {
  return child.selectorSalt === 0 || hashOf(token, child.selectorSalt) % 2 === 0;
}

function wantedBy(plan: DispatcherPlan, child: ChildPlan, token: Token): boolean {
  if (plan.kind === 'broadcast') return isSelected(child, token);
  return plan.kind === 'demand' || routeOf(plan, token) === child.partition;
}
