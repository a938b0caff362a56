// @ts-check
/** Where the three million flights are. Used by the threads that decode them. */

import { fileURLToPath } from 'node:url';
import { asyncBufferFromFile } from 'hyparquet';

/**
 * The package exports its main module alone, so the way to its data leads from there.
 * @param {string} [file]
 */
export function openFlights(file) {
  const data = new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets'));
  return asyncBufferFromFile(file ?? fileURLToPath(data));
}
