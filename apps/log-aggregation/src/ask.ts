/** Asks the door of an app that runs, this one or another, as its users do. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Refusal } from '@streamweld/app-kit';
import type { Found } from './search.ts';

/** In the folder of the app that serves: where its door is. */
export function addressFile(folder: string): string {
  return join(folder, 'address');
}

/** @throws Refusal LOGS_NOT_SERVED */
export async function addressOf(folder: string): Promise<string> {
  try {
    return (await readFile(addressFile(folder), 'utf8')).trim();
  } catch (error) {
    throw notServed(`${folder} tells of none`, error);
  }
}

/** Whether an app runs that has this folder. */
export async function isServed(folder: string): Promise<boolean> {
  try {
    await get(await addressOf(folder));
    return true;
  } catch {
    return false;
  }
}

/** @throws Refusal LOGS_NOT_SERVED; an Error with what the door says where it does not answer the question */
export async function askSearch(address: string, text: string, limit: number): Promise<Found> {
  return JSON.parse(await get(`${address}/search?q=${encodeURIComponent(text)}&limit=${limit}`)) as Found;
}

export function askMetrics(address: string): Promise<string> {
  return get(`${address}/metrics`);
}

async function get(url: string): Promise<string> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw notServed(`nobody answers at ${new URL(url).origin}`, error);
  }
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answers ${response.status}: ${text.trim()}`);
  return text;
}

function notServed(what: string, cause: unknown): Refusal {
  return new Refusal(
    'LOGS_NOT_SERVED',
    `There is no app to be asked: ${what}. Start one with --serve, and ask with the same --out, or with its --port.`,
    { cause },
  );
}
