/** `pnpm site`: builds the site into `docs/.vitepress/dist`. */

import { build } from 'vitepress';
import { writeForReaders } from './llms.ts';
import { root } from './pages.ts';
import { clearStage, stagePages, write } from './stage.ts';

clearStage();
const sidebar = stagePages();
write('sidebar.json', JSON.stringify(sidebar));
writeForReaders(sidebar);
await build(`${root}/docs`);
