/** CopyIn, told what the server says in every order. */

import { Deferred } from '@streamweld/core/connector';
import { expect, it } from 'vitest';
import { CopyIn } from '../src/copy-in.ts';

function begin() {
  const sent: string[] = [];
  const isSent = new Deferred();
  const connection = {
    stream: {
      writable: true,
      // It is never handed on: the system has no room.
      write(chunk: Uint8Array): void {
        sent.push(Buffer.from(chunk).toString());
        isSent.resolve();
      },
    },
    query: (text: string) => void sent.push(text),
    endCopyFrom: () => void sent.push('done'),
    sendCopyFail(): void {
      sent.push('fail');
      isSent.resolve();
    },
  };
  const copy = new CopyIn('copy');
  copy.submit(connection);
  return { copy, connection, sent, isSent: isSent.promise };
}

function messages() {
  const seen: string[] = [];
  function* make(): Generator<Uint8Array> {
    try {
      for (const text of ['one', 'two']) {
        seen.push(text);
        yield Buffer.from(text);
      }
      seen.push('all');
    } finally {
      seen.push('closed');
    }
  }
  return { seen, made: make() };
}

it('makes the first message while the server takes up the statement, and sends it when it may', async () => {
  const { copy, connection, sent, isSent } = begin();
  const { seen, made } = messages();
  const sending = copy.send(made);
  expect({ seen, sent }).toEqual({ seen: ['one'], sent: ['copy'] });
  copy.handleCopyInResponse(connection);
  await isSent;
  expect({ seen, sent }).toEqual({ seen: ['one'], sent: ['copy', 'one'] });
  copy.handleError(new Error('refused'));
  await expect(sending).rejects.toThrow('refused');
});

it('makes no other message in the place of one that was not handed on when the server refused', async () => {
  const { copy, connection, sent, isSent } = begin();
  const { seen, made } = messages();
  const sending = copy.send(made);
  copy.handleCopyInResponse(connection);
  await isSent;
  copy.handleError(new Error('refused'));
  await expect(sending).rejects.toThrow('refused');
  expect({ seen, sent }).toEqual({ seen: ['one', 'closed'], sent: ['copy', 'one'] });
});

it('sends nothing where the server refuses the statement', async () => {
  const { copy, sent } = begin();
  const { seen, made } = messages();
  const sending = copy.send(made);
  copy.handleError(new Error('no such table'));
  await expect(sending).rejects.toThrow('no such table');
  expect({ seen, sent }).toEqual({ seen: ['one', 'closed'], sent: ['copy'] });
});

it('tells the server, once it has taken up the statement, that a message could not be made', async () => {
  const { copy, connection, sent, isSent } = begin();
  const made = {
    *[Symbol.iterator](): Generator<Uint8Array> {
      if (sent.length > 0) throw new Error('no row');
      yield Buffer.from('one');
    },
  };
  const sending = copy.send(made);
  expect(sent).toEqual(['copy']);
  copy.handleCopyInResponse(connection);
  await isSent;
  expect(sent).toEqual(['copy', 'fail']);
  copy.handleError(new Error('COPY from stdin failed'));
  await expect(sending).rejects.toThrow('no row');
});
