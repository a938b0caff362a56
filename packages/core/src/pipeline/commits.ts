/** How the positions of one source are committed: to the checkpoint first, where there is one, and then to the source. */

import { isThenable } from '../deferred.ts';
import { Committer, type CommitPolicy } from '../delivery/committer.ts';
import type { Persistence } from '../delivery/persistence.ts';
import { wrapError } from '../errors.ts';
import type { SourceStage } from '../flow/source-stage.ts';
import type { Awaitable } from '../source.ts';
import type { Checkpoint } from './checkpoint.ts';

export interface CommitOptions {
  readonly policy: CommitPolicy;
  readonly checkpoint: Checkpoint | undefined;
  readonly persistence: Persistence;
  readonly onFail: (error: unknown) => void;
}

/** Nothing, where there is nobody to commit to. */
export function createCommitter(
  stage: SourceStage<unknown>,
  { policy, checkpoint, persistence, onFail }: CommitOptions,
): Committer | undefined {
  const { source } = stage;
  if (source.commit === undefined && checkpoint === undefined) return undefined;
  const failed = (error: unknown): never => {
    throw wrapError(
      'SW_COMMIT_FAILED',
      stage.name,
      `The source '${stage.name}' could not commit its positions; its error is the cause. Items since the last commit come again on the next run.`,
      error,
    );
  };
  const commitSource = (positions: ReadonlyMap<string, unknown>): Awaitable<void> => {
    if (source.commit === undefined) return;
    try {
      // What is late, because nobody waits for it any more, does not reach a source that is closed.
      const answer = persistence.try(() => (stage.isClosed ? undefined : source.commit?.(positions)));
      return isThenable(answer) ? answer.then(undefined, failed) : undefined;
    } catch (error) {
      failed(error);
    }
  };
  // What answers at once is not waited for: items that never wait would leave commits behind.
  const commit = (positions: ReadonlyMap<string, unknown>): Awaitable<void> => {
    const saved = checkpoint?.save();
    return isThenable(saved) ? saved.then(() => commitSource(positions)) : commitSource(positions);
  };
  const committer = new Committer(policy, stage.lanes, commit, onFail);
  stage.onMoved = (items) => committer.moved(items);
  return committer;
}
