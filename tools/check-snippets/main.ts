/** Type-checks every `ts` block of the documents: `pnpm check:snippets`. A test runs those marked `run`. */
import { allBlocks } from './blocks.ts';
import { typeCheck } from './check.ts';

const blocks = allBlocks();
const problems = typeCheck(blocks);
for (const { document, line } of blocks.filter((block) => !block.checked)) {
  console.log(`left out (no-check): ${document}:${line}`);
}
for (const problem of problems) console.error(problem);
const checked = blocks.filter((block) => block.checked).length;
console.log(
  problems.length === 0 ? `${checked} blocks are type-correct` : `of ${checked} blocks some are wrong`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
