/** The S3 that the flights go to, where there is one. Nothing of S3 is loaded here: most runs have none. */

import { Refusal } from '@streamweld/app-kit';

/** Where they go, unless another bucket is named. */
export const FLIGHTS_BUCKET = 'streamweld-flights';

/** How the store is reached, and where in it. */
export interface S3Place {
  readonly bucket: string;
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
}

/** What was given cannot be written to. Its message says why, and what can be done. */
export class S3Unavailable extends Refusal {
  /** @param remedy what else can be done. */
  constructor(which: string, reason: string, remedy: string, options?: ErrorOptions) {
    super(
      'FLIGHTS_S3_UNAVAILABLE',
      `${which}: ${reason}
${remedy}, or run the demo without
STREAMWELD_S3_ENDPOINT: then no flights are archived.`,
      options,
    );
  }
}
