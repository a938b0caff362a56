/** Before each file of tests on a platform: is it the platform that was asked for, and what of the file is left out? */

import { beforeEach } from 'vitest';
import { whyLeftOut } from './left-out.ts';
import { programName } from './program-name.ts';

const asked = process.env['STREAMWELD_EVERYWHERE'] ?? '';
if (programName() !== asked.replace(/^node-\d+ /, 'node '))
  throw new Error(`This is ${programName()}, and ${asked} was asked for.`);

const platform = asked.split(' ')[0] ?? '';

beforeEach(({ task, skip }) => {
  const { projectName = '', filepath } = task.file;
  const file = filepath.slice(filepath.lastIndexOf('/test/') + 1);
  const why = whyLeftOut(platform, projectName, file, task.name);
  if (why !== undefined) skip(why);
});
