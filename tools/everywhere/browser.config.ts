/** The tests of core, in a browser: Vitest itself runs under Node and opens the page. */

import { playwright } from '@vitest/browser-playwright';
import { defaultClientConditions } from 'vite';
import { defineConfig } from 'vitest/config';
import { findChromium } from './chromium.ts';
import { LEFT_OUT } from './left-out.ts';

const here = import.meta.dirname;

export default defineConfig({
  resolve: {
    conditions: ['@streamweld/source', ...defaultClientConditions],
    alias: [{ find: /^@streamweld\/testing$/, replacement: `${here}/testing-in-browsers.ts` }],
  },
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', `${here}/tally.ts`],
    projects: [
      {
        extends: true,
        root: `${here}/../../packages/core`,
        test: {
          name: 'page',
          // The browser is a project of its own, and has the name that the list of tests has.
          include: ['test/**/*.test.ts'],
          // Whole files that cannot be loaded there; single tests are left out as they begin.
          exclude: [
            'test/simulation/storm-3.test.ts',
            'test/simulation/storm-4.test.ts',
            ...LEFT_OUT.filter(({ platform, test }) => platform === 'chromium' && test === undefined).map(
              ({ file }) => file,
            ),
          ],
          isolate: false,
          setupFiles: [`${here}/in-each-page.ts`],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                executablePath: findChromium(),
                // Its sandbox needs what containers and root do not give; it only opens pages of this repository.
                args: ['--no-sandbox', '--disable-dev-shm-usage', '--js-flags=--expose-gc'],
              },
            }),
            instances: [{ browser: 'chromium', name: 'core' }],
          },
        },
      },
    ],
  },
});
