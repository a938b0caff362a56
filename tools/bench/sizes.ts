/** The buffer of every contestant that has one, in items, and the batch of those that move batches. */
export const BUFFER = 1000;
export const BATCH = 500;
