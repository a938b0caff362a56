/**
 * What signatures name and nobody can import, and why nobody needs to. The check reports any other, and any that is here
 * and is not so any more. To give a type of one's own a name, a user needs an export.
 */
export const UNEXPORTED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '@streamweld/core': {
    OVERFLOWS: 'the list that Overflow is made of',
    OnAbort: 'a function of one line, written where it is passed',
  },
  '@streamweld/formats': {
    CsvObjectOptions: "FormatOptions<'csv'> names it",
    Named: 'the table behind FormatItem, FormatInput and FormatOptions, which are exported',
  },
  '@streamweld/kafka': {
    Answer: 'what pull answers, as the contract of Source has it',
    CompressionAlgorithm: 'part of PlatformaticModule, which is passed whole',
    Connection: 'part of PlatformaticModule, which is passed whole',
    ConnectionSettings: 'part of PlatformaticModule, which is passed whole',
    Credential: "PlatformaticSasl['password'] names it",
    Request: 'part of PlatformaticModule, which is passed whole',
    Writer: 'part of PlatformaticModule, which is passed whole',
  },
  '@streamweld/postgres': {
    Answer: 'what pull answers, as the contract of Source has it',
    ChangeOf: 'what all kinds of Change have in common',
    JsonMode: "PostgresSourceOptions['json'] names it",
    Positions: 'a map, as the contract of CheckpointStore has it',
    Row: 'a record of unknown values',
    SnapshotPlace: "ChangePosition['snapshot'] names it; nobody but the source makes one",
  },
  '@streamweld/testing': {
    AnySinkHarness: 'SinkHarness of unknown items',
    AnySourceHarness: 'SourceHarness of unknown items',
    AnyStrategyHarness: 'StrategyHarness of unknown items',
  },
  '@streamweld/workers': {
    ItemOf: 'inferred from the function',
    ItemsOf: 'inferred from the function',
    ResultOf: 'inferred from the function',
    ResultsOf: 'inferred from the function',
  },
};
