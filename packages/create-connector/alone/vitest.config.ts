import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // The suites have deadlines of their own for what has to come soon. This is a net for what hangs: checks of memory
    // move many items, and of a real system that takes more than the five seconds of the default.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
