/** A site that is started and asked for its pages, so that there is a log to follow: every line of it answers a real request. */

import { appendFile, open, stat } from 'node:fs/promises';
import { ManualSite } from '@streamweld/app-web-scraper/site';
import type { LogSource } from './log-source.ts';
import { Visitors } from './visitors.ts';

/** Its log, in the folder of the run. */
export const SITE_LOG = 'access.log';
/** So that some of its answers are errors of a server. */
const FAIL_EVERY = 89;

/**
 * What no server writes, and logs have in them all the same: a line that a full disk cut off, the NULs that a power loss
 * leaves, and bytes that are no text. The app writes them itself.
 */
const DAMAGE: readonly Buffer[] = [
  Buffer.from('127.0.0.1 - - [01/Dec/2026:12:5\n'),
  Buffer.from(`${'\0'.repeat(64)}\n`),
  Buffer.from([
    ...Buffer.from('127.0.0.1 - caf'),
    0xe9,
    ...Buffer.from(' [01/Dec/2026:12:54:39 +0000] "GET / HTTP/1.1" 200 1 "-" "-"\n'),
  ]),
];
export const DAMAGED = DAMAGE.length;

export class AskedSite {
  /** Lines that the log had when it was started. */
  readonly linesBefore: number;
  readonly visitors: Visitors;
  readonly #site: ManualSite;
  readonly #log: string;

  private constructor(site: ManualSite, log: string, linesBefore: number, requests: number) {
    this.#site = site;
    this.#log = log;
    this.linesBefore = linesBefore;
    this.visitors = new Visitors(site.url, requests);
  }

  /** @throws what the system says where the log cannot be written */
  static async start(log: string, requests: number): Promise<AskedSite> {
    const linesBefore = await endLastLine(log);
    const site = await ManualSite.start({ accessLog: log, failEvery: FAIL_EVERY });
    return new AskedSite(site, log, linesBefore, requests);
  }

  get url(): string {
    return this.#site.url;
  }

  /** Resolves when all was asked, and `source` has handed out the line of the last answer. */
  async askAndRead(source: LogSource): Promise<{ readonly askedMs: number }> {
    const begunAt = performance.now();
    await this.visitors.ask();
    const askedMs = performance.now() - begunAt;
    for (const damage of DAMAGE) await appendFile(this.#log, damage);
    await this.#site.close();
    await source.reached(this.#log, (await stat(this.#log)).size);
    return { askedMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#site.close();
  }
}

/** What a kill has cut off would become one line with the first that comes. @returns how many lines there are */
async function endLastLine(log: string): Promise<number> {
  await using file = await open(log, 'a+');
  let [lines, last] = [0, 10];
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false }) as AsyncIterable<Buffer>) {
    for (const byte of chunk) if (byte === 10) lines += 1;
    last = chunk.at(-1) ?? last;
  }
  if (last === 10) return lines;
  await file.appendFile('\n');
  return lines + 1;
}
