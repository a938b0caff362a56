/** Draws Mermaid blocks when the site is built: pages bring pictures along, no program that draws them. */

import { renderMermaidSVG } from 'beautiful-mermaid';

/** @returns an `svg` in the colours of the page it is put into @throws Error where the block cannot be drawn */
export function drawMermaid(block: string): string {
  const svg = renderMermaidSVG(block, {
    bg: 'var(--vp-c-bg)',
    fg: 'var(--vp-c-text-1)',
    line: 'var(--vp-c-text-3)',
    accent: 'var(--vp-c-brand-1)',
    surface: 'var(--vp-c-bg-soft)',
    border: 'var(--vp-c-border)',
    transparent: true,
  });
  // Its font is of another host: the page's own is taken instead.
  const own = svg.replace(/@import url\([^)]*\);?/gu, '').replaceAll("'Inter', ", '');
  const [width = '0'] = /(?<=width=")[\d.]+/u.exec(own) ?? [];
  return own.replace(
    '<svg ',
    `<svg role="img" aria-label="A diagram of: ${labelsOf(own)}" data-width="${width}" `,
  );
}

function labelsOf(svg: string): string {
  const labels = [...svg.matchAll(/data-label="([^"]*)"/gu)].map(([, label]) => label as string);
  return [...new Set(labels)].join(', ');
}
