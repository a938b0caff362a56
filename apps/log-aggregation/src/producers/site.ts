/** A producer: npm's manual as a site, which writes an access log. Arguments: the log; every how many requests it is too busy. */

import { ManualSite } from '@streamweld/app-web-scraper/site';
import { Told } from './told.ts';

const [accessLog = '', failEvery = ''] = process.argv.slice(2);
const told = new Told();
const site = await ManualSite.start({ accessLog, failEvery: Number(failEvery) });
process.send?.({ url: site.url });
await told.stop;
await site.close();
told.leave();
