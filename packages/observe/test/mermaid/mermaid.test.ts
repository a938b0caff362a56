import { ConcurrentPipeline, DispatchedPipelineBuilder, from, type Watchable } from '@streamweld/core';
import { describe, expect, it } from 'vitest';
import { mermaid } from '../../src/mermaid/mermaid.ts';

/** What may stand on a line: a node with its text in quotes, or an edge between two nodes, with one or without. */
const TEXT = '"(?:[^"#&<>`\\\\\\n]|#\\d+;)*"';
const NODE = new RegExp(
  `^ {2}n\\d+(?:\\(\\[${TEXT}\\]\\)|\\[\\(${TEXT}\\)\\]|\\[${TEXT}\\]|\\{\\{${TEXT}\\}\\})$`,
  'u',
);
const EDGE = new RegExp(`^ {2}(n\\d+) -->(?:\\|${TEXT}\\|)? (n\\d+)$`, 'u');

/** @throws where a line is neither, or an edge leads nowhere */
function checked(drawing: string): string {
  const [head, ...lines] = drawing.trimEnd().split('\n');
  expect(head).toMatch(/^flowchart (LR|TB)$/);
  const nodes = new Set<string>();
  for (const line of lines) {
    const edge = EDGE.exec(line);
    if (edge === null) {
      expect(line).toMatch(NODE);
      nodes.add(/n\d+/.exec(line)?.[0] as string);
    } else {
      expect([nodes.has(edge[1] as string), nodes.has(edge[2] as string)]).toEqual([true, true]);
    }
  }
  return drawing;
}

const named = (name: string) => ({ name, write: () => {} });

describe('mermaid', () => {
  it('draws a pipeline before it runs: source, operators, buffer, sink', () => {
    const pipeline = new ConcurrentPipeline(
      from([1])
        .map((n) => n)
        .merge(from([2])),
      named('postgres'),
    ).bufferSize(500);
    expect(checked(mermaid(pipeline))).toBe(`flowchart LR
  n0(["array"])
  n1["map"]
  n2(["array"])
  n3["merge"]
  n4[("postgres")]
  n0 --> n1
  n1 --> n3
  n2 --> n3
  n3 -->|"buffer 500"| n4
`);
  });

  it('draws the same when it has run, from top to bottom on request', async () => {
    const pipeline = new ConcurrentPipeline(from([1]), named('log'));
    const before = mermaid(pipeline, { direction: 'TB' });
    await pipeline.run();
    expect(mermaid(pipeline, { direction: 'TB' })).toBe(before);
    expect(checked(before)).toMatch(/^flowchart TB\n/);
  });

  it('draws dispatchers, what is behind them, and partitions', async () => {
    const regions = new DispatchedPipelineBuilder<number>({ name: 'regions', bufferSize: 20 }).partition(
      ['eu', 'us'],
      (n) => (n % 2 === 0 ? 'eu' : 'us'),
    );
    await regions.subscribeSink(named('frankfurt'), 'eu');
    await regions.subscribeSink(named('ohio'), 'us');
    const all = new DispatchedPipelineBuilder<number>({ bufferSize: 10 }).broadcast();
    await all.subscribeSink(regions.createSink());
    await all.subscribeSink(named('audit'));
    const expected = `flowchart LR
  n0(["array"])
  n1{{"broadcast"}}
  n2{{"regions (partition)"}}
  n3[("frankfurt")]
  n4[("ohio")]
  n5[("audit")]
  n0 -->|"buffer 1000"| n1
  n1 -->|"buffer 10"| n2
  n2 -->|"eu, buffer 20"| n3
  n2 -->|"us, buffer 20"| n4
  n1 -->|"buffer 10"| n5
`;
    expect(checked(mermaid(new ConcurrentPipeline(from([1]), all.createSink())))).toBe(expected);
    expect(checked(mermaid(regions)).split('\n')[1]).toBe('  n0{{"regions (partition)"}}');
    await all.abort();
  });

  it('lets no name be more than text', () => {
    const evil = [
      'a"]; click n0 "javascript:alert(1)',
      '<img src=x onerror=alert(1)>',
      '#quot;',
      '`**bold**`',
      '1. first',
      '- item',
      'end',
      'two\nlines\u001b[2J',
      'c:\\temp',
      '%%{init: {"theme": "dark"}}%%',
      '$$x$$',
      'fa:fa-car',
      'style n0 fill:#f00',
      'classDef x fill:#f00',
      `${'x'.repeat(100)}`,
    ];
    for (const name of evil) {
      const drawing = checked(mermaid(new ConcurrentPipeline(from([1]), named(name))));
      expect(drawing.split('\n')).toHaveLength(5);
      expect(drawing).not.toMatch(/%%|%\{|\$\$|:fa-|(?:style|classDef).*:/u);
      expect(drawing).not.toMatch(/[<>`](?!\|| n)(?<!-->)/u);
    }
    const lineOf = (name: string) => mermaid(new ConcurrentPipeline(from([1]), named(name))).split('\n')[2];
    expect(lineOf('say "hi"')).toBe('  n1[("say #34;hi#34;")]');
    expect(lineOf('1. first')).toBe('  n1[("1#46; first")]');
    expect(lineOf('orders-eu_1.2')).toBe('  n1[("orders-eu_1.2")]');
  });

  it('says what it wants', () => {
    for (const given of [undefined, null, 'pipeline', {}, { snapshot: () => ({}) }])
      expect(() => mermaid(given as unknown as Watchable)).toThrow(
        expect.objectContaining({ code: 'SW_OPTION_INVALID' }),
      );
    const pipeline = new ConcurrentPipeline(from([1]), named('log'));
    expect(() => mermaid(pipeline, { direction: 'up' as 'LR' })).toThrow('mermaid.direction');
  });
});
