import { readFileSync } from 'node:fs';
import path from 'node:path';
import { slug } from 'github-slugger';
import { defineConfig, type DefaultTheme } from 'vitepress';
import { drawMermaid } from '../site/mermaid.ts';
import { once } from '../site/once.ts';
import { repository, root } from '../site/pages.ts';
import { served, staged } from '../site/stage.ts';

const draw = once(drawMermaid);
const sidebar = JSON.parse(
  readFileSync(path.join(staged, 'sidebar.json'), 'utf8'),
) as DefaultTheme.SidebarItem[];

export default defineConfig({
  title: 'StreamWeld',
  description:
    'Moves items from one place to many in TypeScript: concurrently, with backpressure, and none is lost.',
  lang: 'en',
  // Where it stands on its host: '/streamweld/' on GitHub's pages.
  base: process.env['STREAMWELD_SITE_BASE'] ?? '/',
  srcDir: '.site/pages',
  outDir: process.env['STREAMWELD_SITE_OUT'] ?? '.vitepress/dist',
  cleanUrls: true,
  ignoreDeadLinks: false,
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: icon() }]],
  markdown: {
    // Anchors as GitHub makes them, so that a link works in both places.
    anchor: { slugify: slug },
    config: (md) => {
      // A page is rendered twice, for itself and for the search: what takes long is done once.
      const { highlight } = md.options;
      if (highlight) md.options.highlight = once(highlight);
      const { rules } = md.renderer;
      const fence = rules.fence;
      rules.fence = (tokens, at, options, env, self) => {
        const token = tokens[at];
        if (token?.info.trim() === 'mermaid')
          return `<div class="mermaid" v-html="${md.utils.escapeHtml(JSON.stringify(draw(token.content)))}"></div>\n`;
        // `ts run` and `ts no-check` are for our own checks.
        if (token !== undefined) token.info = token.info.replace(/^(\w+) (?:run|no-check)$/u, '$1');
        return fence?.(tokens, at, options, env, self) ?? '';
      };
      // Documents know nothing of Vue: two braces are two braces.
      for (const kind of ['fence', 'code_inline', 'text'] as const) {
        const rule = rules[kind];
        rules[kind] = (tokens, at, options, env, self) =>
          (rule?.(tokens, at, options, env, self) ?? '').replaceAll('{{', '&#123;&#123;');
      }
    },
  },
  themeConfig: {
    nav: [
      { text: 'Guides', link: '/guides/first-pipeline', activeMatch: '/(start|guides)' },
      { text: 'Delivery', link: '/delivery' },
      { text: 'Errors', link: '/errors' },
    ],
    sidebar,
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: repository }],
    // It is carried into pages as text: it knows nothing of this file.
    editLink: {
      pattern: ({ frontmatter }) =>
        `https://github.com/streamweld/streamweld/edit/main/${frontmatter['editFile']}`,
    },
    footer: { message: 'Apache-2.0' },
    externalLinkIcon: true,
  },
  vite: {
    resolve: { conditions: ['@streamweld/source'] },
    publicDir: served,
  },
});

/** The inspector's own, in the page itself. */
function icon(): string {
  const svg = readFileSync(path.join(root, 'packages/observe/src/inspector/page/icon.svg'), 'utf8');
  return `data:image/svg+xml,${encodeURIComponent(svg.trim())}`;
}
