/** The front page, made of the README: what it is, its first example, its picture, what it guarantees. */

import { fencesOf, sectionOf } from './sections.ts';

/** @param readme with its links as they are on the site */
export function frontPage(readme: string): string {
  const [, about = ''] = /^# .+\n\n([\s\S]+?)\n\n/u.exec(readme) ?? [];
  const guarantees = [
    ...sectionOf(readme, 'What it guarantees').matchAll(/^- \*\*(.+?)\*\*([\s\S]+?)(?=^- |$(?![\s\S]))/gmu),
  ];
  if (about === '' || guarantees.length < 3)
    throw new Error('The README no longer begins with what it is, or has no list of what it guarantees.');
  const use = sectionOf(readme, 'Use it');
  const [install, example, output] = fencesOf(use);
  const [picture = ''] = /^!\[.*$/mu.exec(readme) ?? [];
  const features = guarantees.map(([, title = '', details = '']) => ({
    title: oneLine(title).replace(/[.,]$/u, ''),
    details: oneLine(details).replace(/^[,:] (.)/u, (_, letter: string) => letter.toUpperCase()),
  }));
  const matter = {
    layout: 'home',
    title: 'StreamWeld',
    titleTemplate: 'many sinks, one account',
    hero: {
      name: 'StreamWeld',
      text: 'One source, many sinks, nothing lost',
      tagline: oneLine(about).replace(/^StreamWeld m/u, 'M'),
      actions: [
        { theme: 'brand', text: 'Begin', link: '/guides/first-pipeline' },
        { theme: 'alt', text: 'What is promised', link: '/delivery' },
      ],
    },
    features,
  };
  return [
    `---\n${JSON.stringify(matter)}\n---\n`,
    '## Twenty lines\n',
    install,
    example,
    output,
    '## See it run\n',
    picture,
    'The inspector is a page of your own machine, off until you ask for it. Read [how to open it](./packages/observe.md).\n',
  ].join('\n\n');
}

function oneLine(text: string): string {
  return text.replace(/\s+/gu, ' ').replaceAll('`', '').trim();
}
