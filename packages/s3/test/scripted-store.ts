/** A store of keys that no server at hand takes, by HTTP: it lists them as S3 does, page by page, and answers each with itself. */

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ReachOptions } from '../src/options.ts';

export interface ScriptedStore extends AsyncDisposable {
  readonly reach: ReachOptions;
  /** How often it was asked for a page. */
  readonly pages: number;
  /** Whether it knows of ranges. */
  hasRanges: boolean;
}

/** @param keys in the order in which they are listed */
export async function openScriptedStore(keys: readonly string[]): Promise<ScriptedStore> {
  const known = new Set(keys);
  let pages = 0;
  const server = http.createServer((request, answer) => {
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const key = decodeURIComponent(path.split('/').slice(2).join('/'));
    const search = new URLSearchParams(query);
    if (search.has('list-type')) {
      pages += 1;
      answer.writeHead(200, { 'content-type': 'application/xml' }).end(page(keys, search));
    } else if (known.has(key)) {
      answerObject(answer, key, scripted.hasRanges ? request.headers['range'] : undefined);
    } else {
      answer.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const scripted: ScriptedStore = {
    reach: {
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      credentials: { accessKeyId: 'nobody', secretAccessKey: 'nothing' },
    },
    hasRanges: true,
    get pages() {
      return pages;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return scripted;
}

function answerObject(answer: http.ServerResponse, key: string, range: string | undefined): void {
  const content = Buffer.from(key);
  const from = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
  answer.writeHead(range === undefined ? 200 : 206, {
    etag: '"1"',
    'content-length': content.length - from,
    ...(range === undefined
      ? undefined
      : { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
  });
  answer.end(content.subarray(from));
}

function page(keys: readonly string[], search: URLSearchParams): string {
  const token = search.get('continuation-token');
  const after = search.get('start-after');
  const first = token === null ? (after === null ? 0 : keys.indexOf(after) + 1) : Number(token);
  const end = Math.min(keys.length, first + 1000);
  const contents = keys
    .slice(first, end)
    .map(
      (key) =>
        `<Contents><Key>${encodeURIComponent(key).replaceAll('%20', '+').replaceAll("'", '%27')}</Key><Size>${Buffer.byteLength(key)}</Size><ETag>&quot;1&quot;</ETag></Contents>`,
    );
  const more = end < keys.length ? `<NextContinuationToken>${end}</NextContinuationToken>` : '';
  return `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>${end < keys.length}</IsTruncated>${more}${contents.join('')}</ListBucketResult>`;
}
