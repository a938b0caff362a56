/** A producer: reads all pages of a site, from link to link. Arguments: the address; its log; how many rounds. */

import pino from 'pino';
import { linksOf, request } from './links.ts';
import { Told } from './told.ts';

const ATTEMPTS = 3;
const AT_ONCE = 4;

const [site = '', path = '', rounds = ''] = process.argv.slice(2);
const log = pino({ name: 'crawler', level: 'debug' }, pino.destination({ dest: path, sync: true }));
const told = new Told();

for (let round = 1; round <= Number(rounds) && !told.isToStop; round += 1) {
  const seen = new Set([site]);
  log.info({ round, site }, 'begin');
  // Page by page away from the first: those that are as far are read four at once.
  for (let pages = [site]; pages.length > 0 && !told.isToStop; ) {
    const waiting = [...pages];
    pages = [];
    await Promise.all(Array.from({ length: AT_ONCE }, () => readAll(waiting, seen, pages)));
  }
  log.info({ round, pages: seen.size, isWhole: !told.isToStop }, 'end');
}
told.leave();

async function readAll(waiting: string[], seen: Set<string>, found: string[]): Promise<void> {
  for (let url = waiting.shift(); url !== undefined && !told.isToStop; url = waiting.shift()) {
    for (const link of await read(url)) {
      // Robots are asked to leave it alone.
      if (seen.has(link) || link.endsWith('/server-status')) continue;
      seen.add(link);
      found.push(link);
    }
  }
}

/** @returns the links of the page; none where it cannot be had. */
async function read(url: string): Promise<string[]> {
  for (let attempt = 1; attempt <= ATTEMPTS && !told.isToStop; attempt += 1) {
    try {
      const { status, ms, bytes, body } = await request(url, 'GET', 'manual-crawler/1.0');
      if (status === 200) {
        const links = linksOf(url, body);
        log.info({ url, status, ms, bytes, links: links.length }, 'page');
        return links;
      }
      if (status < 500) {
        log.warn({ url, status, ms, bytes }, 'no page');
        return [];
      }
      log.warn({ url, status, ms, attempt }, 'busy, tried again');
    } catch (error) {
      log.error({ url, attempt, err: error }, 'no answer');
    }
  }
  log.error({ url }, 'given up');
  return [];
}
