/** Validation by any Standard Schema (https://standardschema.dev), taken by its shape: no dependency. */

import { isThenable } from '../deferred.ts';
import { StreamWeldError } from '../errors.ts';
import { type AsyncOptions, ItemStage, type Suspended } from './item-stage.ts';
import type { OnRefused } from './refused.ts';
import type { FlowRun, Stage } from './stage.ts';

/** What a validation library offers under `~standard` (version 1 of the specification). */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export interface ValidateOptions extends AsyncOptions {
  /**
   * What happens to an item that does not fit: fail the run, drop the item and count it, or send it to the dead letter of
   * the pipeline. Default `'fail'`.
   */
  readonly onInvalid?: OnRefused | undefined;
}

export class ValidateStage<T, O> extends ItemStage<T, O> {
  protected override readonly narrows = true;
  private readonly schema: StandardSchema<T, O>;

  constructor(input: Stage<T>, run: FlowRun, options: ValidateOptions, schema: StandardSchema<T, O>) {
    super('validate', input, run, options, options.onInvalid);
    this.schema = schema;
  }

  protected override call(item: T): unknown {
    return this.schema['~standard'].validate(item);
  }

  protected override loop(items: readonly T[], kept: boolean[] | undefined, out: O[]): Suspended | undefined {
    const schema = this.schema['~standard'];
    for (let at = 0; at < items.length; at++) {
      const answer = schema.validate(items[at]);
      if (isThenable(answer)) return { at, answer };
      const isValid = answer.issues === undefined;
      if (kept !== undefined) kept.push(isValid);
      if (isValid) out.push((answer as { value: O }).value);
      else this.#refuse(at, answer.issues as readonly SchemaIssue[]);
    }
    return undefined;
  }

  protected override finish(_item: T, answer: unknown): readonly O[] {
    const result = answer as SchemaResult<O>;
    if (result.issues === undefined) return [result.value];
    this.#refuse(0, result.issues);
    return [];
  }

  #refuse(at: number, issues: readonly SchemaIssue[]): void {
    if (this.onRefused === 'drop') {
      this.refuse(at, undefined);
      return;
    }
    // Only the path: messages and path elements of some libraries quote the values, which may be anybody's data.
    const paths = issues.map((issue) => (issue.path ?? []).map(keyOf).join('.') || 'the item itself');
    const error = new StreamWeldError(
      'SW_ITEM_INVALID',
      `An item does not fit its schema (${this.schema['~standard'].vendor}) at ${paths.join(', ')}. Mend the input, or choose onInvalid: 'drop' or 'deadLetter'.`,
      { stage: this.name },
    );
    if (this.onRefused === 'fail') throw error;
    this.refuse(at, error);
  }
}

function keyOf(element: PropertyKey | { readonly key: PropertyKey }): string {
  return String(typeof element === 'object' ? element.key : element);
}
