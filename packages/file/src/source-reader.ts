/** What reading once and following have in common: they are called as the source is. */

import type { Awaitable, Positioned, SourceContext } from '@streamweld/core/connector';
import type { FilePosition } from './source-position.ts';

export interface FileReader<T> {
  open(context: SourceContext<FilePosition>): Promise<void>;
  pull(demand: number): Awaitable<Positioned<T, FilePosition> | undefined>;
  stop(): void;
  close(): Promise<void>;
}
