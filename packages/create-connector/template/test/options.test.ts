import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { TemplateNameSink } from '../src/sink.ts';
import { TemplateNameSource } from '../src/source.ts';

const connection = { url: 'memory://nowhere' };

describe.each([TemplateNameSource, TemplateNameSink])('options of %o', (Connector) => {
  it.each([
    ['no log', { connection }, 'log must be a string that is not empty, got undefined.'],
    ['an empty log', { connection, log: '' }, 'log must be a string that is not empty, got "".'],
    ['no way to the server', { log: 'a' }, 'connection must be given, or client instead of it'],
    ['two ways to the server', { connection, client: {}, log: 'a' }, 'One of the two.'],
    ['no url', { connection: {}, log: 'a' }, 'connection.url must be a string that is not empty'],
    ['a name that is misspelt', { connection, lgo: 'a' }, 'must be one of its known options'],
  ])('refuse %s', (_, options, message) => {
    expect(() => new Connector(options as never)).toThrow(message);
  });

  it('show no password', () => {
    const password = 'h1dden-p4ssword';
    const made = new Connector({ connection: { ...connection, password }, log: 'a' });
    expect(inspect(made, { depth: 9, showHidden: true }) + JSON.stringify(made)).not.toContain(password);
    const wrong = { connection: { ...connection, password: [password] }, log: 'a' };
    expect(() => new Connector(wrong as never)).toThrow(
      /^connection\.password must be a string, got an object\.$/,
    );
  });
});
