/** A producer: asks whether what the pages of a site link to is there. Arguments: the address; its log; how many rounds. */

import pino from 'pino';
import { linksOf, request } from './links.ts';
import { Told } from './told.ts';

const AGENT = 'link-checker/1.0';
/** A link that this very check is for: it was there in an older manual. */
const OLD = 'commands/npm-bin.html';

const [site = '', path = '', rounds = ''] = process.argv.slice(2);
const log = pino({ name: 'checker', level: 'debug' }, pino.destination({ dest: path, sync: true }));
const told = new Told();

for (let round = 1; round <= Number(rounds) && !told.isToStop; round += 1) {
  log.info({ round, site }, 'begin');
  const folders = await links(site);
  const pages = (await Promise.all(folders.map(links))).flat();
  const known = [...new Set([...folders, ...pages, new URL(OLD, site).href])];
  let broken = 0;
  for (const url of known) {
    if (told.isToStop) break;
    broken += (await isThere(url)) ? 0 : 1;
  }
  log.info({ round, links: known.length, broken }, 'end');
}
told.leave();

async function links(url: string): Promise<string[]> {
  try {
    const { status, ms, body } = await request(url, 'GET', AGENT);
    log.debug({ url, status, ms }, 'list');
    return status === 200 ? linksOf(url, body) : [];
  } catch (error) {
    log.error({ url, err: error }, 'no answer');
    return [];
  }
}

async function isThere(url: string): Promise<boolean> {
  try {
    const { status, ms } = await request(url, 'HEAD', AGENT);
    if (status < 400) log.debug({ url, status, ms }, 'there');
    else log.warn({ url, status, ms }, status === 404 ? 'broken' : 'cannot be told');
    return status < 400;
  } catch (error) {
    log.error({ url, err: error }, 'no answer');
    return false;
  }
}
