/** Ways to break the connector of the template, a line and a rule each: as somebody may who makes it their own. */

export interface BrokenRule {
  readonly rule: string;
  readonly defect: string;
  /** In `src`, as it is generated with the name redis-streams. */
  readonly file: 'client.ts' | 'sink.ts' | 'source.ts';
  readonly from: string;
  readonly to: string;
  /** What the check says: it is caught for the right reason. */
  readonly says: RegExp;
}

const ANSWER = 'return { items, position: this.#at };';
const OPENED = 'this.#session = await Session.open(this.#options, this.name, signal);';
/** Several: a timer of the runner that goes away meanwhile would hide one. */
const KEPT_OPEN = `${OPENED}\n    for (let n = 0; n < 9; n += 1) setInterval(() => {}, 1e9);`;
const APPENDED = 'const refused = await this.#append(batch, positions, signal);';
const HOARD = '((globalThis as { hoard?: unknown[] }).hoard ??= [])';

export const BROKEN: readonly BrokenRule[] = [
  {
    rule: 'S3',
    defect: 'answers one more than it was asked for',
    file: 'source.ts',
    from: 'client.read(log, this.#at, demand, signal)',
    to: 'client.read(log, this.#at, demand + 1, signal)',
    says: /pull\(1\) answered 2 items/,
  },
  {
    rule: 'S5',
    defect: 'waits at its end',
    file: 'source.ts',
    from: 'if (items.length === 0) return undefined;',
    to: 'if (items.length === 0) await new Promise(() => {});',
    says: /did not come within/,
  },
  {
    rule: 'S6',
    defect: 'empties what it has handed out',
    file: 'source.ts',
    from: ANSWER,
    to: 'const own = [...items];\n    setImmediate(() => (own.length = 0));\n    return { items: own, position: this.#at };',
    says: /was changed later/,
  },
  {
    rule: 'S7',
    defect: 'gives the position before the batch',
    file: 'source.ts',
    from: ANSWER,
    to: 'return { items, position: this.#at - items.length };',
    says: /was due/,
  },
  {
    rule: 'S12',
    defect: 'leaves an item out when it resumes',
    file: 'source.ts',
    from: 'this.#at = await this.#checked(this.#session, lane, position)',
    to: 'this.#at = 1 + (await this.#checked(this.#session, lane, position))',
    says: /was due|Lost/,
  },
  {
    rule: 'S13',
    defect: 'takes any position',
    file: 'source.ts',
    from: "if (lane === '' &&",
    to: "if (lane !== 'other' ||",
    says: /It took/,
  },
  {
    rule: 'S14',
    defect: 'compares positions the wrong way round',
    file: 'source.ts',
    from: 'return a - b;',
    to: 'return b - a;',
    says: /position/,
  },
  {
    rule: 'S17',
    defect: 'leaves timers',
    file: 'source.ts',
    from: OPENED,
    to: KEPT_OPEN,
    says: /Left behind: .*Timeout/,
  },
  {
    rule: 'S18',
    defect: 'holds what it has handed out',
    file: 'source.ts',
    from: ANSWER,
    to: `${HOARD}.push(items.map((item) => [...item].join('')));\n    ${ANSWER}`,
    says: /MiB|bytes/,
  },
  {
    rule: 'S19',
    defect: 'tells the password',
    file: 'client.ts',
    from: "'connect', signal)",
    to: '`connect as ${connection?.password}`, signal)',
    says: /has '.*' in it/,
  },
  {
    rule: 'K3',
    defect: 'changes a batch',
    file: 'sink.ts',
    from: APPENDED,
    to: `(batch as string[]).reverse();\n    ${APPENDED}`,
    says: /batch|frozen|read only/i,
  },
  {
    rule: 'K4',
    defect: 'says that it is done before it is',
    file: 'sink.ts',
    from: APPENDED,
    to: 'const refused = [] as number[];\n    void this.#append(batch, positions, signal).catch(() => {});',
    says: /cannot be read back/,
  },
  {
    rule: 'K11',
    defect: 'keeps positions in a step of their own',
    file: 'sink.ts',
    from: APPENDED,
    to: 'const refused = await this.#append(batch, undefined, signal);\n    await this.#append([], positions, signal);',
    says: /read back|reads/,
  },
  {
    rule: 'K15',
    defect: 'writes in another order',
    file: 'sink.ts',
    from: APPENDED,
    to: 'const refused = await this.#append([...batch].reverse(), positions, signal);',
    says: /another order/,
  },
  {
    rule: 'K17',
    defect: 'does not heed the signal of a write',
    file: 'sink.ts',
    from: 'client.append(this.#options.log, items, kept, until)',
    to: 'client.append(this.#options.log, items, kept, until === undefined ? until : new AbortController().signal)',
    says: /did not come within/,
  },
  {
    rule: 'K18',
    defect: 'leaves timers',
    file: 'sink.ts',
    from: OPENED,
    to: KEPT_OPEN,
    says: /Left behind: .*Timeout/,
  },
  {
    rule: 'K19',
    defect: 'tells the password',
    file: 'client.ts',
    from: "'connect', signal)",
    to: '`connect as ${connection?.password}`, signal)',
    says: /secret|password|in it/,
  },
  {
    rule: 'K20',
    defect: 'says that what is bad may be written later',
    file: 'sink.ts',
    from: 'retryable: false',
    to: 'retryable: true',
    says: /./,
  },
  {
    rule: 'K21',
    defect: 'holds what it has written',
    file: 'sink.ts',
    from: APPENDED,
    to: `${HOARD}.push(batch.map((item) => ({ item: [...item].join(''), at: new Date() })));\n    ${APPENDED}`,
    says: /MiB|bytes/,
  },
];
