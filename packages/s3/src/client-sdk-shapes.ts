/** What the SDK says and wants to hear, against what this package says. */

import { makeS3Error, type Translation } from './error-translation.ts';
import { INCOMPLETE_ANSWER } from './error-verdicts.ts';
import type { Condition, ObjectAttributes, ObjectFacts } from './client.ts';

interface SdkFacts {
  readonly ContentLength?: number | undefined;
  readonly ContentEncoding?: string | undefined;
  readonly Metadata?: Readonly<Record<string, string>> | undefined;
}

export function factsOf(
  { ContentLength = 0, ContentEncoding, Metadata }: SdkFacts,
  etag: string,
): ObjectFacts {
  return {
    size: ContentLength,
    etag,
    // The SDK's own name for bodies that it cut into pieces to send them; some stores keep it.
    contentEncoding: ContentEncoding?.replace(/(^|, *)aws-chunked/, '').replace(/^, */, '') || undefined,
    metadata: Object.fromEntries(
      Object.entries(Metadata ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    ),
  };
}

export function attributesOf({ contentType, contentEncoding, metadata }: ObjectAttributes): {
  ContentType: string | undefined;
  ContentEncoding: string | undefined;
  Metadata: Record<string, string> | undefined;
} {
  return {
    ContentType: contentType,
    ContentEncoding: contentEncoding,
    Metadata: metadata && { ...metadata },
  };
}

export function conditionOf({ ifNoneMatch, ifMatch }: Condition): {
  IfNoneMatch: string | undefined;
  IfMatch: string | undefined;
} {
  return { IfNoneMatch: ifNoneMatch, IfMatch: ifMatch };
}

/** Without one, what was answered is not the end of it: an answer that was cut, or none at all with a status of success. */
export function etagOf(
  { ETag = '' }: { readonly ETag?: string | undefined },
  translation: Translation,
): string {
  if (ETag === '') throw makeS3Error(INCOMPLETE_ANSWER, translation);
  return quoted(ETag);
}

/** What answers in place of the store, as a page to log in does, has nothing of a listing: that is no bucket without objects. */
export function isListing(
  { IsTruncated }: { readonly IsTruncated?: boolean | undefined },
  listed: unknown,
): boolean {
  return IsTruncated !== undefined || listed !== undefined;
}

/** Some stores leave the quotation marks away in some answers. */
export function quoted(etag: string): string {
  return etag === '' || etag.startsWith('"') || etag.startsWith('W/') ? etag : `"${etag}"`;
}

/** Listings are asked for as forms are encoded, where a space is a plus; a store may not know that, and then says so. */
export function decoderOf(encoding: string | undefined): (text: string) => string {
  return encoding === 'url' ? (text) => decodeURIComponent(text.replaceAll('+', '%20')) : (text) => text;
}

/** What XML cannot hold. */
// oxlint-disable-next-line no-control-regex -- They are what is looked for.
export const CONTROL: RegExp = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
