/** The topology of a pipeline or a dispatcher as a drawing, in the language of Mermaid, which many documents show as a picture. */

import type { Watchable } from '@streamweld/core';
import { checkOneOf, checkOptions } from '@streamweld/core/connector';
import { checkWatchable } from '../shared/check.ts';
import { type EdgeLook, lookAt, type StageKind, type StageLook } from '../shared/graph.ts';
import { harmless, shortened } from '../shared/text.ts';

export interface MermaidOptions {
  /** From left to right, or from top to bottom. Default `'LR'`. */
  readonly direction?: 'LR' | 'TB' | undefined;
}

/** What stands around a name: a source is a stadium, a dispatcher a hexagon, a sink a cylinder. */
const SHAPES: Record<StageKind, readonly [open: string, close: string]> = {
  source: ['([', '])'],
  operator: ['[', ']'],
  dispatcher: ['{{', '}}'],
  sink: ['[(', ')]'],
};

const MOST_LETTERS = 60;

/**
 * Draws what is connected to what: sources, operators, buffers with their capacity, sinks, and all that is behind a
 * dispatcher. It can be asked before, while and after the pipeline runs.
 * @returns a flowchart, several lines, the last of which ends in a newline
 * @throws OptionError for what is neither a pipeline nor a dispatcher
 *
 * @example
 * console.log(mermaid(pipeline));
 */
export function mermaid(target: Watchable, options?: MermaidOptions): string {
  checkWatchable('mermaid', target);
  const { direction = 'LR' } = checkOptions('mermaid', options, ['direction']);
  checkOneOf('mermaid.direction', direction, ['LR', 'TB']);
  const { stages, edges } = lookAt(target);
  // Names of our own: theirs may be anything.
  const names = new Map(stages.map(({ id }, index) => [id, `n${index}`]));
  const partitions = new Map(stages.map(({ id, partition }) => [id, partition]));
  const lines = [
    `flowchart ${direction}`,
    ...stages.map((stage) => `  ${names.get(stage.id)}${drawStage(stage)}`),
    ...edges.map(
      (edge) =>
        `  ${names.get(edge.from)} -->${drawLabel(edge, partitions.get(edge.to))} ${names.get(edge.to)}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function drawStage({ name, kind, strategy }: StageLook): string {
  const [open, close] = SHAPES[kind];
  const text = strategy === undefined || strategy === name ? name : `${name} (${strategy})`;
  return `${open}"${escaped(text)}"${close}`;
}

function drawLabel({ buffer }: EdgeLook, partition: string | number | undefined): string {
  const parts = [
    ...(partition === undefined ? [] : [String(partition)]),
    ...(buffer === undefined ? [] : [`buffer ${buffer.capacity}`]),
  ];
  return parts.length === 0 ? '' : `|"${escaped(parts.join(', '))}"|`;
}

/** What Mermaid, HTML or TeX read as more than text, and `%%{ … }%%`, which Mermaid obeys wherever it stands. */
const SPECIAL = /["#&<>`\\]|%(?=[%{])|\$(?=\$)|:(?=fa-)/gu;
/** Behind these words Mermaid looks for colours, in any text, and takes a semicolon away. */
const STYLES = /style|classDef/u;

/** As text between quotes: what would be more than text is written as its number. */
function escaped(text: string): string {
  const special = STYLES.test(text) ? new RegExp(`${SPECIAL.source}|:`, 'gu') : SPECIAL;
  return shortened(harmless(text), MOST_LETTERS)
    .replace(special, numbered)
    .replace(/^[-+*](?= )/u, numbered)
    .replace(/(?<=^\d+)[.)](?= )/u, numbered);
}

function numbered(character: string): string {
  return `#${character.codePointAt(0)};`;
}
