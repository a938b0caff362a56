/** The suite of sinks on sinks of each kind that keep their contract. */

import { sinkSuite } from '@streamweld/testing';
import { describe, test } from 'vitest';
import {
  AtomicSink,
  DeferringSink,
  GatheringSink,
  KeepingSink,
  PlainSink,
  tableHarness,
  TwofoldSink,
  UploadSink,
} from './sinks/table-sinks.ts';

sinkSuite({ describe, test }, 'PlainSink', tableHarness(PlainSink));
sinkSuite({ describe, test }, 'AtomicSink', tableHarness(AtomicSink));
sinkSuite({ describe, test }, 'GatheringSink', tableHarness(GatheringSink));
sinkSuite({ describe, test }, 'UploadSink', tableHarness(UploadSink));
sinkSuite({ describe, test }, 'DeferringSink', tableHarness(DeferringSink));
sinkSuite({ describe, test }, 'KeepingSink', tableHarness(KeepingSink, KeepingSink));
sinkSuite({ describe, test }, 'TwofoldSink', {
  ...tableHarness(TwofoldSink, TwofoldSink),
  // Neither of two tables knows what came first in the other.
  read: (table) => table.read().toSorted((a, b) => a.id - b.id),
});
