/** Where each rule is explained: who breaks one is told what it is called, and where to read about it. */

/** The page with a heading for each rule. */
const PAGE = 'https://github.com/streamweld/streamweld/blob/main/docs/contracts.md';

/** What the headings of docs/contracts.md say behind the numbers: a test holds the two together. */
export const RULE_TITLES: Readonly<Record<string, string>> = {
  S1: 'Opened once, first',
  S2: 'One pull at a time',
  S3: 'Answers what was asked for, and not more',
  S4: 'Answers what is there',
  S5: 'Not pulled after its end',
  S6: 'What was handed out is the run’s',
  S7: 'Positions come in order, and lie behind their batch',
  S8: 'Commits only what is durable',
  S9: 'Stopping ends the outstanding pull',
  S10: 'Closed once, last',
  S11: 'What comes after the abort is discarded',
  S12: 'Resumes exactly behind a position',
  S13: 'Refuses a position that is not its own',
  S14: 'Compares positions as they came',
  S15: 'A position is plain data',
  S16: 'Heeds the abort',
  S17: 'Leaves nothing behind',
  S18: 'Holds a bounded amount unasked',
  S19: 'Throws errors with a code, and no secret',
  S20: 'Resumes after a kill too',
  S21: 'Takes a commit of any batch, and resumes from it',
  K1: 'Opened once, first',
  K2: 'So many writes at once, and no more',
  K3: 'A batch is never empty, and not the sink’s to change',
  K4: 'Returning means durable',
  K5: 'Accepted now, durable later',
  K6: 'A failed write may come again',
  K7: 'Flush makes durable what was accepted',
  K8: 'Closed once, last',
  K9: 'Heeds the signal of its write',
  K10: 'Settles what it took over',
  K11: 'Keeps positions in one step with items',
  K12: 'Is given whole batches, in order',
  K13: 'Several sinks that keep positions',
  K14: 'Keeps what no write brings',
  K15: 'Can be read back',
  K16: 'Shows nothing half',
  K17: 'Heeds the abort',
  K18: 'Leaves nothing behind',
  K19: 'Throws errors with a code, and no secret',
  K20: 'A bad item is its own loss',
  K21: 'Its memory does not grow',
  K22: 'Opens on what an earlier one left',
  C1: 'Loads what was last saved',
  C2: 'Saves all lanes, in one step',
  C3: 'Names share nothing',
  C4: 'One run to a name',
  C5: 'A position comes back as it was',
  C6: 'What it answers is the asker’s',
  C7: 'Does not keep the process alive',
  C8: 'Throws errors with a code, and no secret',
  D1: 'Takes a prefix',
  D2: 'Every item has a place',
  D3: 'No more than the demand',
  D4: 'Order stays',
  D5: 'Looks, and touches nothing',
  D6: 'Answers at once, and repeatably',
  D7: 'Nothing without demand',
  D8: 'Something with demand',
  D9: 'Its demand is a count',
  D10: 'An index is good for one call',
};

/** The address of the heading, as GitHub makes it; of the page, for a check of your own whose rule is not on it. */
export function addressOfRule(rule: string): string {
  const title = RULE_TITLES[rule];
  if (title === undefined) return PAGE;
  const anchor = `${rule} ${title}`
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\- ]/gu, '')
    .replaceAll(' ', '-');
  return `${PAGE}#${anchor}`;
}

/** What errors said before they were told: one may be thrown to two checks, and each of them has a rule of its own. */
const originals = new WeakMap<Error, { readonly message: string; readonly stack: string | undefined }>();

/**
 * What a check threw, with the rule that asks for it at the end of its message: the very same error where it can be, so that
 * a runner shows what was expected and what came.
 */
export function tellRule(rule: string, error: unknown): unknown {
  const title = RULE_TITLES[rule];
  const words = `${rule}${title === undefined ? '' : `, "${title}",`} asks for it: ${addressOfRule(rule)}`;
  if (!(error instanceof Error)) return new Error(`It threw what is no Error.\n${words}`, { cause: error });
  const { message, stack } = originals.get(error) ?? error;
  const longer = `${message}\n${words}`;
  try {
    error.message = longer;
    // Runners that print the stack print the message that is in it.
    if (stack !== undefined) error.stack = stack.replace(message, () => longer);
    originals.set(error, { message, stack });
    return error;
  } catch {
    // It is frozen.
    return new Error(longer, { cause: error });
  }
}
