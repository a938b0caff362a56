/** What robots are asked to leave alone: robots.txt of each origin, read once before anything else of it. */

import * as parser from 'robots-parser';
import { originOf } from './address.ts';
import { AGENT, type Failed, type Fetcher } from './fetcher.ts';

export interface Rules {
  allows(address: string): boolean;
  /** What is asked for between two requests, in milliseconds. */
  readonly delayMs: number;
}

interface Robot {
  isAllowed(address: string, agent: string): boolean | undefined;
  getCrawlDelay(agent: string): number | undefined;
}

const ALL: Rules = { allows: () => true, delayMs: 0 };
const MOST_REDIRECTS = 5;

export class Robots {
  readonly #fetcher: Fetcher;
  readonly #rules = new Map<string, Promise<Rules | Failed>>();

  constructor(fetcher: Fetcher) {
    this.#fetcher = fetcher;
  }

  /** @returns why it could not be read: then nothing of that origin is to be requested, and the next call tries again */
  rulesFor(address: string): Promise<Rules | Failed> {
    const origin = originOf(address);
    const known = this.#rules.get(origin);
    if (known !== undefined) return known;
    const reading = this.#read(origin, `${origin}/robots.txt`);
    this.#rules.set(origin, reading);
    void reading.then((rules) => {
      if ('kind' in rules) this.#rules.delete(origin);
    });
    return reading;
  }

  /** As RFC 9309 has it: where there is none all is allowed, and where the server fails nothing is. */
  async #read(origin: string, address: string, hops = 0): Promise<Rules | Failed> {
    const answer = await this.#fetcher.get(address, { isWanted: () => true });
    switch (answer.kind) {
      case 'document':
        return rulesOf(origin, new TextDecoder().decode(answer.bytes));
      case 'redirect': {
        const { location } = answer;
        if (location === undefined || !URL.canParse(location, address) || hops === MOST_REDIRECTS) return ALL;
        return this.#read(origin, new URL(location, address).href, hops + 1);
      }
      case 'failed':
        if (answer.status !== undefined && answer.status < 500 && answer.status !== 429) return ALL;
        return { ...answer, reason: `robots.txt cannot be read: ${answer.reason}` };
      case 'unwanted':
        return ALL;
    }
  }
}

function rulesOf(origin: string, text: string): Rules {
  // Its types say that the function is the default of a module, and it is the module.
  const parse = parser.default as unknown as (address: string, text: string) => Robot;
  const robot = parse(`${origin}/robots.txt`, text);
  return {
    allows: (page) => robot.isAllowed(page, AGENT) !== false,
    delayMs: delayOf(robot.getCrawlDelay(AGENT)),
  };
}

/** A day at most: what is beyond it is a slip, and more than a timer can wait. */
function delayOf(seconds: number | undefined): number {
  return seconds !== undefined && seconds > 0 ? Math.min(seconds, 86_400) * 1000 : 0;
}
