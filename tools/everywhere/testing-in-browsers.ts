/** What of @streamweld/testing runs in a browser; its suites need Node, and of its leak check there is a part. */

// oxlint-disable-next-line no-restricted-imports -- its door loads modules of Node
export { Random } from '../../packages/testing/src/random.ts';
// oxlint-disable-next-line no-restricted-imports -- its door loads modules of Node
export {
  type TestHooks,
  useVirtualClock,
  VirtualClock,
  type VirtualClockOptions,
  withVirtualClock,
} from '../../packages/testing/src/virtual-clock.ts';
export { LeakCheck, listenersOf, useLeakCheck } from './leaks-in-browsers.ts';
