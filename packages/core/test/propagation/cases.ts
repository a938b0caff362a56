/** The table: every case there is. */

import type { Case } from './case.ts';
import { DISPATCHERS } from './cases-dispatchers.ts';
import { FLOWS } from './cases-flows.ts';
import { ONE_SINK } from './cases-one-sink.ts';
import { STREAMS } from './cases-streams.ts';

export const CASES: readonly Case[] = [...ONE_SINK, ...FLOWS, ...DISPATCHERS, ...STREAMS];
