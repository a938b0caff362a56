/** Those who ask the site for its pages: real requests by HTTP, counted by what was answered, and not by what the log says. */

import { Pool } from 'undici';
import type { Sum } from './independent-count.ts';

/** Requests that are under way at once. */
const AT_ONCE = 8;

/** Its multiples fall evenly between two whole numbers. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Browsers, robots and those who look for holes: what a log is full of. */
const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
  'ExampleBot/2.1 (+https://robot.example/about)',
  'a "quoted" \\ agent',
];

interface Visit {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly path: string;
  readonly referer: string | undefined;
}

export class Visitors {
  readonly byStatus = new Map<number, Sum>();
  answered = 0;
  readonly #site: string;
  readonly #requests: number;
  /** Paths, each with its slash. */
  #pages: readonly string[] = ['/'];
  #asked = 0;
  #isStopped = false;

  /** @param site its address, as `http://127.0.0.1:41234/` */
  constructor(site: string, requests: number) {
    this.#site = site;
    this.#requests = requests;
  }

  /** Asks until all was asked, or it is stopped. @throws what keeps the site from being asked */
  async ask(): Promise<void> {
    const pool = new Pool(new URL(this.#site).origin, { connections: AT_ONCE });
    try {
      const folders = await this.#linksOf('/', pool);
      const links = await Promise.all(folders.map((folder) => this.#linksOf(folder, pool)));
      this.#pages = ['/', ...folders, ...links.flat()];
      await Promise.all(Array.from({ length: AT_ONCE }, () => this.#askOneByOne(pool)));
    } finally {
      await pool.destroy();
    }
  }

  /** What is under way is still answered. */
  stop(): void {
    this.#isStopped = true;
  }

  async #askOneByOne(pool: Pool): Promise<void> {
    while (!this.#isStopped && this.#asked < this.#requests) {
      const number = this.#asked++;
      const { method, path, referer } = this.#visit(number);
      await this.#request(pool, { method, path, referer }, AGENTS[number % AGENTS.length] as string);
    }
  }

  async #request(pool: Pool, { method, path, referer }: Visit, agent: string): Promise<Buffer> {
    const { statusCode, body } = await pool.request({
      method,
      path,
      headers: { 'user-agent': agent, ...(referer === undefined ? {} : { referer }) },
    });
    const bytes = Buffer.from(await body.arrayBuffer());
    const sum = this.byStatus.get(statusCode) ?? { requests: 0, bytes: 0 };
    sum.requests += 1;
    sum.bytes += bytes.length;
    this.byStatus.set(statusCode, sum);
    this.answered += 1;
    return bytes;
  }

  /** The pages and folders that a listing of the site links to, of those below it. */
  async #linksOf(folder: string, pool: Pool): Promise<string[]> {
    if (this.#isStopped || this.#asked >= this.#requests) return [];
    this.#asked += 1;
    const listing = await this.#request(
      pool,
      { method: 'GET', path: folder, referer: undefined },
      AGENTS[2] as string,
    );
    return [...listing.toString().matchAll(/<a href="([a-z0-9-]+(?:\/|\.html))">/g)].map(
      ([, link]) => `${folder}${link}`,
    );
  }

  /** All pages, the first ones more often; now and then what is not there, or not allowed. */
  #visit(number: number): Visit {
    const page = this.#pages[Math.floor(this.#pages.length * ((number * GOLDEN) % 1) ** 2)] as string;
    const referer = number % 3 === 0 ? this.#site : undefined;
    if (number % 50 === 7) return { method: 'GET', path: '/wp-login.php', referer };
    if (number % 50 === 19) return { method: 'HEAD', path: page, referer };
    if (number % 100 === 31) return { method: 'POST', path: page, referer };
    if (number % 100 === 43) return { method: 'GET', path: '/commands', referer };
    if (number % 10 === 9) return { method: 'GET', path: `${page}?from=${number}`, referer };
    return { method: 'GET', path: page, referer };
  }
}
