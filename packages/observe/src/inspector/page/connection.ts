/**
 * The stream of samples, by `fetch`, because an EventSource can send no header. It is closed while the page is hidden:
 * browsers allow six connections to one server, and each tab has one.
 */

import type { WireGone, WireHello, WireMoved, WireRefused, WireSample } from '../wire.ts';

export type Status = 'connecting' | 'live' | 'silent' | 'lost' | 'resting' | 'refused';

export interface Listener {
  hello(hello: WireHello): void;
  sample(sample: WireSample): void;
  moved(moved: WireMoved): void;
  gone(gone: WireGone): void;
  status(status: Status): void;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;
const SILENT_MS = 3000;

export class Connection {
  readonly #token: string;
  readonly #listener: Listener;
  #abort: AbortController | undefined;
  #waitMs = FIRST_WAIT_MS;
  #retry: number | undefined;
  #heardAt = 0;
  /** Nothing more is to be expected of what is shown. */
  isQuiet = false;

  constructor(token: string, listener: Listener) {
    this.#token = token;
    this.#listener = listener;
    document.addEventListener('visibilitychange', () => this.#follow());
    // A page that goes into the browser's store for pages, and comes back from it.
    addEventListener('pageshow', () => this.#follow());
    addEventListener('pagehide', () => this.#close('resting'));
    setInterval(() => this.#listen(), 1000);
    this.#follow();
  }

  /** @throws Error with what the server says, where it refuses */
  async ask<A>(
    method: 'GET' | 'POST',
    path: string,
    query: readonly (readonly [string, string])[],
  ): Promise<A> {
    const search = new URLSearchParams(query.map(([name, value]) => [name, value]));
    const response = await fetch(`${path}?${search}`, { method, headers: this.#headers });
    if (!response.ok) throw new Error(await refusalOf(response));
    return (await response.json()) as A;
  }

  get #headers(): Record<string, string> {
    return { 'x-streamweld-token': this.#token };
  }

  #follow(): void {
    if (document.hidden) this.#close('resting');
    else if (this.#abort === undefined) void this.#open();
  }

  #close(status: Status): void {
    clearTimeout(this.#retry);
    this.#abort?.abort();
    this.#abort = undefined;
    this.#listener.status(status);
  }

  async #open(): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    this.#listener.status('connecting');
    let status: Status = 'lost';
    try {
      const response = await fetch('stream', { headers: this.#headers, signal: abort.signal });
      if (response.status === 403) status = 'refused';
      else if (response.ok && response.body !== null) await this.#read(response.body);
    } catch {
      // It is tried again below.
    }
    if (this.#abort !== abort) return;
    this.#close(status);
    if (status === 'refused') return;
    this.#retry = setTimeout(() => this.#follow(), this.#waitMs);
    this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2);
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body
      .pipeThrough(new TextDecoderStream() as never)
      .getReader() as ReadableStreamDefaultReader<string>;
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#heardAt = performance.now();
      this.#waitMs = FIRST_WAIT_MS;
      this.#listener.status('live');
      const events = (rest + value).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) this.#tell(event);
    }
  }

  #tell(event: string): void {
    const [, kind, data] = /^event: (\w+)\ndata: (.*)$/u.exec(event) ?? [];
    if (data === undefined) return;
    const content: unknown = JSON.parse(data);
    if (kind === 'hello') this.#listener.hello(content as WireHello);
    else if (kind === 'sample') this.#listener.sample(content as WireSample);
    else if (kind === 'moved') this.#listener.moved(content as WireMoved);
    else if (kind === 'gone') this.#listener.gone(content as WireGone);
  }

  /** Connected, and nothing comes: then the process does not get round to it. */
  #listen(): void {
    if (this.#abort === undefined || this.isQuiet || this.#heardAt === 0) return;
    if (performance.now() - this.#heardAt > SILENT_MS) this.#listener.status('silent');
  }
}

async function refusalOf(response: Response): Promise<string> {
  try {
    return ((await response.json()) as WireRefused).message;
  } catch {
    return `It was refused (${response.status}).`;
  }
}

/** Out of the address, where history and bookmarks would keep it, into what this tab remembers. */
export function takeToken(): string {
  const key = `streamweld-token ${location.pathname}`;
  const given = decodeURIComponent(location.hash.slice(1));
  if (given !== '') {
    sessionStorage.setItem(key, given);
    history.replaceState(null, '', location.pathname + location.search);
  }
  return sessionStorage.getItem(key) ?? '';
}
