/** What both clients of the site do: request an address, and find the links of a page. */

export interface Answer {
  readonly status: number;
  readonly ms: number;
  readonly bytes: number;
  readonly body: string;
}

/** @throws what fetch says where nothing is answered */
export async function request(url: string, method: 'GET' | 'HEAD', agent: string): Promise<Answer> {
  const begunAt = performance.now();
  const response = await fetch(url, { method, headers: { 'user-agent': agent } });
  const body = await response.text();
  return {
    status: response.status,
    ms: Math.round((performance.now() - begunAt) * 10) / 10,
    bytes: Buffer.byteLength(body),
    body,
  };
}

/** Addresses of the same site that a page links to, without their fragments, each once. */
export function linksOf(page: string, body: string): string[] {
  const here = new URL(page);
  const found = new Set<string>();
  for (const [, href = ''] of body.matchAll(/href="([^"]*)"/g)) {
    if (!URL.canParse(href, page)) continue;
    const link = new URL(href, page);
    link.hash = '';
    if (link.origin === here.origin) found.add(link.href);
  }
  return [...found];
}
