/**
 * What is answered to whom. It knows no server: requests come as plain objects, and answers go as such.
 *
 *     GET  .               the page            GET  stream                          samples, as they come
 *     GET  page.js …       what belongs to it  GET  history?pipeline=&series=…      what was
 *                                              GET  items?pipeline=&stage=          the next items
 *                                              POST control?pipeline=&action=       pause, resume, drain
 */

import type { ConcurrentPipeline, Watchable } from '@streamweld/core';
import { ignoreRejection, isStreamWeldError } from '@streamweld/core/connector';
import type { Sampler } from '../shared/sampler.ts';
import { Access, SECURITY_HEADERS, TOKEN_HEADER } from './access.ts';
import { Hub, type Page } from './hub.ts';
import type { Settings } from './options.ts';
import { PAGE_FILES, type PageFile } from './page.generated.ts';
import { nextItems } from './tap.ts';
import type { ControlAction, WireHistory } from './wire.ts';

export interface InspectorRequest {
  readonly method: string;
  /** Path and query, as they were asked for, and without where the handler is mounted. */
  readonly url: string;
  /** As it was asked for, where a server has taken its own part away. */
  readonly fullUrl: string;
  header(name: string): string | undefined;
}

export interface InspectorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Of a stream: is given who reads it, and answers what is called when that one has gone. */
  readonly join?: (page: Page) => () => void;
}

/** Nobody has so many tabs; a program that opens more is told so. */
const MOST_PAGES = 100;
const MOST_SERIES = 400;

export class Routes {
  readonly hub: Hub;
  readonly #sampler: Sampler;
  readonly #access: Access;
  readonly #settings: Settings;

  constructor(settings: Settings, token: string, sampler: Sampler) {
    this.#settings = settings;
    this.#sampler = sampler;
    this.#access = new Access(token, settings.hosts);
    this.hub = new Hub(sampler, { control: settings.control, items: settings.items });
  }

  /** Never throws; nothing, where it is not asked for anything of its own. */
  answer(request: InspectorRequest): InspectorAnswer | Promise<InspectorAnswer> | undefined {
    const [pathname, query] = parted(request.url);
    const { path } = this.#settings;
    if (`${pathname}/` === path) return redirected(pathname);
    if (!pathname.startsWith(path)) return undefined;
    const asked = {
      host: request.header('host'),
      origin: request.header('origin'),
      token: request.header(TOKEN_HEADER),
    };
    if (!this.#access.isSameSite(asked)) return FORBIDDEN;
    const name = pathname.slice(path.length);
    const file = PAGE_FILES.get(name);
    if (file !== undefined) return this.#file(request, file);
    const route = ROUTES.get(name);
    if (route === undefined) return refused(404, 'There is no such thing here.');
    if (!this.#access.hasToken(asked)) return FORBIDDEN;
    if (request.method !== route) return refused(405, `Ask with ${route}.`, { allow: route });
    return this.#routed(name, new URLSearchParams(query));
  }

  #file({ method, fullUrl }: InspectorRequest, { type, text }: PageFile): InspectorAnswer {
    if (method !== 'GET' && method !== 'HEAD') return refused(405, 'Ask with GET.', { allow: 'GET, HEAD' });
    const [pathname] = parted(fullUrl);
    // What it refers to lies beside it.
    if (type.startsWith('text/html') && !pathname.endsWith('/')) return redirected(pathname);
    return { status: 200, headers: { ...SECURITY_HEADERS, 'content-type': type }, body: text };
  }

  #routed(name: string, query: URLSearchParams): InspectorAnswer | Promise<InspectorAnswer> {
    if (name === 'stream') return this.#stream();
    const target = this.hub.find(query.get('pipeline') ?? '');
    if (target === undefined) return refused(404, 'There is no such pipeline any more.');
    if (name === 'history') return this.#history(target, query.getAll('series'));
    if (name === 'items') return this.#items(target, query.get('stage') ?? '');
    return this.#control(target, query.get('action') ?? '');
  }

  #stream(): InspectorAnswer {
    if (this.hub.pages >= MOST_PAGES) return refused(503, 'Too many pages are open.');
    const headers = { ...SECURITY_HEADERS, 'content-type': 'text/event-stream; charset=utf-8' };
    // nginx, for one, would keep it until there is a lot of it.
    return {
      status: 200,
      headers: { ...headers, 'x-accel-buffering': 'no' },
      body: '',
      join: (page) => this.hub.join(page),
    };
  }

  #history(target: Watchable, names: readonly string[]): InspectorAnswer {
    const { times, series } = this.#sampler
      .history(target)
      ?.since(undefined, names.slice(0, MOST_SERIES)) ?? {
      times: [],
      series: new Map<string, number[]>(),
    };
    const answer: WireHistory = { times, series: Object.fromEntries(series) };
    return json(200, answer);
  }

  async #items(target: Watchable, stage: string): Promise<InspectorAnswer> {
    if (!this.#settings.items) return refused(404, 'Items are not shown, unless `items` is true.');
    try {
      return json(200, await nextItems(target, stage, this.#settings.redact));
    } catch (error) {
      return refused(409, reasonOf(error));
    }
  }

  #control(target: Watchable, action: string): InspectorAnswer {
    if (!this.#settings.control) return refused(404, 'There are no controls, unless `control` is true.');
    if (!('pause' in target) || !Object.hasOwn(CONTROLS, action))
      return refused(404, 'Only a pipeline can be paused, resumed and drained.');
    const pipeline = target as ConcurrentPipeline<unknown>;
    try {
      CONTROLS[action as ControlAction](pipeline);
      return json(202, { state: pipeline.state });
    } catch (error) {
      return refused(409, reasonOf(error));
    }
  }
}

const ROUTES: ReadonlyMap<string, 'GET' | 'POST'> = new Map([
  ['stream', 'GET'],
  ['history', 'GET'],
  ['items', 'GET'],
  ['control', 'POST'],
]);

/** None is waited for: what came of it is seen in the next sample. Whoever runs the pipeline is told of its failure. */
const CONTROLS: Readonly<Record<ControlAction, (pipeline: ConcurrentPipeline<unknown>) => void>> = {
  pause: (pipeline) => ignoreRejection(pipeline.pause()),
  resume: (pipeline) => pipeline.resume(),
  drain: (pipeline) => ignoreRejection(pipeline.drain()),
};

/** Not a word of why: a page that may not ask is not helped. */
const FORBIDDEN: InspectorAnswer = { status: 403, headers: { ...SECURITY_HEADERS }, body: '' };

/** By hand: not everything that is asked for is a URL. */
function parted(url: string): readonly [pathname: string, query: string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
}

function redirected(pathname: string): InspectorAnswer {
  const location = `./${pathname.split('/').at(-1)}/`;
  return { status: 308, headers: { ...SECURITY_HEADERS, location }, body: '' };
}

function json(status: number, answer: unknown): InspectorAnswer {
  const headers = { ...SECURITY_HEADERS, 'content-type': 'application/json; charset=utf-8' };
  return { status, headers, body: JSON.stringify(answer) };
}

function refused(
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): InspectorAnswer {
  const answer = json(status, { message });
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

/** Messages of ours hold no item and no secret; those of others may. */
function reasonOf(error: unknown): string {
  return isStreamWeldError(error) ? error.message : 'It failed.';
}
