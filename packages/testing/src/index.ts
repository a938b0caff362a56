/** The door of the conformance kit and its instruments: names only. */

// Time and chance
export { Random } from './random.ts';
export {
  type TestHooks,
  useVirtualClock,
  VirtualClock,
  type VirtualClockOptions,
  withVirtualClock,
} from './virtual-clock.ts';

// Leaks
export {
  type Leak,
  LeakCheck,
  type LeakCheckOptions,
  LeakError,
  type LeakKind,
  listenersOf,
  useLeakCheck,
  withLeakCheck,
} from './leak-check.ts';

// Faults
export {
  type Direction,
  type FaultCounts,
  type FaultProxy,
  type FaultProxyOptions,
  openFaultProxy,
} from './fault-proxy.ts';
export { type FaultKind, type FaultPlan, type Faults, type ScriptedFault } from './faults.ts';
export { type FaultySink, faultySink, type SinkCall } from './faulty-sink.ts';
export { type FaultySource, faultySource, type SourceCall } from './faulty-source.ts';
export { type RecordedCall, type Recorder, type RecorderOptions, recorder } from './recorder.ts';

// A source of your own
export type { SeededPlace, SourceHarness } from './source-harness.ts';
export { SOURCE_CHECKS, sourceSuite } from './source-suite.ts';

// The contract of a sink
export type { SinkHarness } from './sink-harness.ts';
export { type SinkCheck, SINK_CHECKS, sinkSuite } from './sink-suite.ts';

// A checkpoint store of your own
export { CHECKPOINT_CHECKS } from './checkpoint-checks.ts';
export { type CheckpointHarness, type CheckpointMedium, checkpointSuite } from './checkpoint-suite.ts';

// A dispatch strategy of your own
export { STRATEGY_CHECKS } from './strategy-checks.ts';
export type { StrategyHarness, StrategyOutlet } from './strategy-harness.ts';
export { strategySuite } from './strategy-suite.ts';

// What every suite is made of
export { type Check, findBreaches, registerChecks, type Runner, within } from './suite.ts';
