/** Validation by any Standard Schema (https://standardschema.dev), taken by its shape: no dependency. */

import { isThenable } from '../deferred.ts';
import { StreamWeldError } from '../errors.ts';
import { type AsyncOptions, ItemStage, type Suspended } from './item-stage.ts';
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
  /** What happens to an item that does not fit: fail the run, or drop the item and count it. Default `'fail'`. */
  readonly onInvalid?: 'fail' | 'drop' | undefined;
}

export class ValidateStage<T, O> extends ItemStage<T, O> {
  protected override readonly narrows = true;
  readonly #flowRun: FlowRun;

  private readonly options: ValidateOptions;
  private readonly schema: StandardSchema<T, O>;

  constructor(input: Stage<T>, run: FlowRun, options: ValidateOptions, schema: StandardSchema<T, O>) {
    super('validate', input, run, options);
    this.options = options;
    this.schema = schema;
    this.#flowRun = run;
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
      else this.#refuse(answer.issues as readonly SchemaIssue[]);
    }
    return undefined;
  }

  protected override finish(_item: T, answer: unknown): readonly O[] {
    const result = answer as SchemaResult<O>;
    if (result.issues === undefined) return [result.value];
    this.#refuse(result.issues);
    return [];
  }

  #refuse(issues: readonly SchemaIssue[]): void {
    if (this.options.onInvalid === 'drop') {
      this.#flowRun.dropped(1);
      return;
    }
    // Only the path: messages and path elements of some libraries quote the values, which may be anybody's data.
    const paths = issues.map((issue) => (issue.path ?? []).map(keyOf).join('.') || 'the item itself');
    throw new StreamWeldError(
      'SW_ITEM_INVALID',
      `An item does not fit its schema (${this.schema['~standard'].vendor}) at ${paths.join(', ')}. Mend the input, or choose onInvalid: 'drop'.`,
      { stage: this.name },
    );
  }
}

function keyOf(element: PropertyKey | { readonly key: PropertyKey }): string {
  return String(typeof element === 'object' ? element.key : element);
}
