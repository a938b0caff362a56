/** What the adapter takes `@platformatic/kafka` for is what it is, request by request. */

import type * as platformatic from '@platformatic/kafka';
import { expectTypeOf } from 'vitest';
import type { PlatformaticModule } from '../src/client-platformatic.ts';
import type { RequestName, Requests } from '../src/client-platformatic-requests.ts';

type Real = typeof platformatic;

/** Its own types say of nothing that it is not changed. */
type Mutable<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends Buffer
    ? T
    : T extends object
      ? { -readonly [K in keyof T]: Mutable<T[K]> }
      : T;

/** That one is put together by the adapter. */
type Told = Exclude<RequestName, 'produceV9'>;

/** Each is true, or the compiler says which is not. */
type Takes = {
  [N in Told]: Mutable<Requests[N]['args']> extends Parameters<Real[N]['createRequest']> ? true : N;
};
type Answers = {
  [N in RequestName]: ReturnType<Real[N]['parseResponse']> extends Requests[N]['answer'] ? true : N;
};

expectTypeOf<Real>().toExtend<PlatformaticModule>();
expectTypeOf<Takes>().toEqualTypeOf<{ [N in Told]: true }>();
expectTypeOf<Answers>().toEqualTypeOf<{ [N in RequestName]: true }>();
