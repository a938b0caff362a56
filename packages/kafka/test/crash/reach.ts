/** How a program that is killed reaches the brokers: with the client of the project that has started it. */

import { platformaticClient, type PlatformaticModule } from '../../src/client-platformatic.ts';
import type { ReachOptions } from '../../src/options.ts';

export async function reachOf(brokers: string): Promise<ReachOptions> {
  const path = process.env['STREAMWELD_KAFKA_MODULE'];
  if (path === undefined) return { brokers };
  // Not put into the file of the program: it reads others that lie beside it.
  const platformatic = (await import(/* @vite-ignore */ path)) as PlatformaticModule;
  return { client: platformaticClient(platformatic, { bootstrapBrokers: brokers.split(',') }) };
}
