/** What each package brings into the `node_modules` of whoever installs it alone: the one list of it. */

export interface Brought {
  /** Each of these comes along. A name that ends in `*` stands for at least one that begins like it. */
  readonly always: readonly string[];
  /** Of these, some come along: what a system or a version of a client needs. */
  readonly perhaps?: readonly string[];
  /** What a door needs that is not brought: its users install it. */
  readonly peers?: Readonly<Record<string, string>>;
  /** Packages of types that its own types speak of: its users have them. Default: none. */
  readonly types?: readonly string[];
}

/** A user of Node has the types of Node: that these packages speak of them is no surprise. */
const NODE = ['@types/node'];

export const BROUGHT: Readonly<Record<string, Brought>> = {
  '@streamweld/core': { always: [] },
  '@streamweld/formats': { always: ['@streamweld/core', 'papaparse'], types: NODE },
  '@streamweld/file': {
    always: ['@streamweld/core', '@streamweld/formats', 'papaparse', 'picomatch'],
    types: NODE,
  },
  '@streamweld/testing': { always: ['@streamweld/core'] },
  '@streamweld/create-connector': { always: [], types: NODE },
  '@streamweld/observe': {
    always: ['@streamweld/core'],
    peers: { './otel': '@opentelemetry/api' },
    types: NODE,
  },
  // Piscina sets the priority of threads with it, where its binary for the system is there.
  '@streamweld/workers': {
    always: ['@streamweld/core', 'piscina'],
    perhaps: ['@napi-rs/nice*'],
    types: NODE,
  },
  '@streamweld/kafka': { always: ['@streamweld/core', 'kafkajs'], types: NODE },
  '@streamweld/postgres': {
    always: ['@streamweld/core', 'pg', 'pg-cursor', 'pg-logical-replication'],
    // What these bring: the pool, the protocol, the values, and the events of logical replication.
    perhaps: ['pg-*', 'pgpass', 'postgres-*', 'split2', 'xtend', 'eventemitter2'],
    types: NODE,
  },
  '@streamweld/s3': {
    always: ['@streamweld/core', '@streamweld/formats', 'papaparse', '@aws-sdk/client-s3'],
    perhaps: [
      '@aws-sdk/*',
      '@aws/*',
      '@smithy/*',
      '@aws-crypto/*',
      'tslib',
      'bowser',
      'mnemonist',
      'obliterator',
    ],
    types: NODE,
  },
};

/** What came along that is not in the list, and what is in the list and did not come. */
export function compareBrought(
  brought: Brought,
  installed: readonly string[],
): { readonly uninvited: string[]; readonly missing: string[] } {
  const listed = [...brought.always, ...(brought.perhaps ?? [])];
  return {
    uninvited: installed.filter((name) => !listed.some((pattern) => matches(pattern, name))),
    missing: brought.always.filter((pattern) => !installed.some((name) => matches(pattern, name))),
  };
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
