import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { command, type Terminal } from '../src/command.ts';
import { createConnector, CREATE_ERROR_CODES, namesOf } from '../src/index.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'create-'));
});
afterEach(() => rm(folder, { recursive: true }));

const create = (name: string, to = 'new', packageName?: string) =>
  createConnector({ name, folder: join(folder, to), packageName });

/** A terminal that answers a question, or none. */
function terminal(answer?: string): Terminal & { readonly said: string[] } {
  const said: string[] = [];
  const ask = async (question: string) => {
    said.push(question);
    return answer ?? '';
  };
  return { isInteractive: answer !== undefined, ask, say: (text) => void said.push(text), said };
}

describe('createConnector', () => {
  it('writes a connector of that name, and no placeholder', async () => {
    const { names, files } = await create('redis-streams', 'new', '@you/redis');
    expect(names.className).toBe('RedisStreams');
    expect(files).toEqual(
      expect.arrayContaining(['.gitignore', 'package.json', 'src/source.ts', 'README.md']),
    );
    const there = await readdir(join(folder, 'new'), { recursive: true });
    expect(there).toEqual(expect.arrayContaining([...files]));
    for (const file of files)
      expect(await readFile(join(folder, 'new', file), 'utf8'), file).not.toMatch(
        /template.?name|@streamweld\/redis/i,
      );
    expect(await readFile(join(folder, 'new/src/source.ts'), 'utf8')).toContain('class RedisStreamsSource');
    const manifest = JSON.parse(await readFile(join(folder, 'new/package.json'), 'utf8')) as {
      [group: string]: Record<string, string>;
    };
    expect(manifest['name']).toBe('@you/redis');
    const versions = { ...manifest['dependencies'], ...manifest['devDependencies'] };
    expect(Object.keys(versions)).toHaveLength(5);
    for (const version of Object.values(versions)) expect(version).toMatch(/^\^?\d+\.\d+\.\d+$/);
  });

  it('goes beside what a new repository has', async () => {
    await mkdir(join(folder, '.git'));
    await writeFile(join(folder, 'LICENSE'), 'mine');
    await create('redis', '.');
    expect(await readFile(join(folder, 'LICENSE'), 'utf8')).toBe('mine');
  });

  it('refuses a folder that has anything in it, and writes nothing', async () => {
    await writeFile(join(folder, 'notes.txt'), 'mine');
    await expect(create('redis', '.')).rejects.toMatchObject({
      code: 'SW_CREATE_FOLDER_OCCUPIED',
      message: expect.stringMatching(/it holds 1 files.*nothing was written/),
    });
    expect(await readdir(folder)).toEqual(['notes.txt']);
  });

  it.each(['notes.txt', 'notes.txt/below'])('refuses %s, a file in the place of the folder', async (to) => {
    await writeFile(join(folder, 'notes.txt'), 'mine');
    await expect(create('redis', to)).rejects.toMatchObject({ code: 'SW_CREATE_FOLDER_OCCUPIED' });
  });

  it('refuses what the system does not let it make', async () => {
    await expect(create('redis', 'x'.repeat(300))).rejects.toMatchObject({
      code: 'SW_CREATE_FOLDER_DENIED',
      message: expect.stringContaining('ENAMETOOLONG'),
    });
  });

  it.each([
    '',
    'Redis',
    'redis_streams',
    '-redis',
    'redis-',
    'redis--streams',
    '7up',
    '../up',
    'template-name',
    'a'.repeat(101),
  ])("refuses the name '%s', and says what one looks like", async (name) => {
    await expect(create(name)).rejects.toMatchObject({
      code: 'SW_CREATE_NAME_INVALID',
      message: expect.stringContaining('as redis-streams'),
    });
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(['', '@you', '@you/', 'You', '.hidden', 'a b', '../up'])(
    "refuses '%s' as the name of a package",
    async (name) => {
      await expect(create('redis', 'new', name)).rejects.toMatchObject({
        code: 'SW_CREATE_NAME_INVALID',
        message: expect.stringContaining('--package must be a name that npm takes'),
      });
    },
  );
});

describe('namesOf', () => {
  it('gives codes of the repository their beginning, and others their own', () => {
    expect(namesOf('amqp-1').codePrefix).toBe('AMQP_1');
    expect(namesOf('amqp-1', '@streamweld/amqp-1')).toEqual({
      name: 'amqp-1',
      className: 'Amqp1',
      constantName: 'AMQP_1',
      codePrefix: 'SW_AMQP_1',
      packageName: '@streamweld/amqp-1',
    });
  });
});

describe('the command', () => {
  it('says what comes next', async () => {
    const { said, ...rest } = terminal();
    await command(['redis', join(folder, 'new'), '--package', '@you/redis'], rest);
    expect(said.join('\n')).toMatch(/^@you\/redis begins with \d+ files in [^]*npm install\n {2}npm test/);
  });

  it('asks for the name in a terminal, and checks it as any other', async () => {
    const asked = terminal(' Redis ');
    await expect(command([], asked)).rejects.toMatchObject({
      message: expect.stringContaining("got 'Redis'"),
    });
    expect(asked.said).toEqual(['What does it connect to? (as redis-streams) ']);
  });

  it('answers --help', async () => {
    const asked = terminal();
    await command(['--help'], asked);
    expect(asked.said.join()).toContain('npm create @streamweld/connector [NAME] [FOLDER]');
  });

  it.each([
    [[], 'SW_CREATE_NAME_MISSING'],
    [['redis', 'new', 'more'], 'SW_CREATE_ARGUMENT_INVALID'],
    [['redis', '--pakage', 'x'], 'SW_CREATE_ARGUMENT_INVALID'],
  ])('refuses %j where nobody can be asked, and says how it is called', async (args, code) => {
    await expect(command(args, terminal())).rejects.toMatchObject({
      code,
      message: expect.stringContaining('npm create @streamweld/connector'),
    });
    expect(Object.keys(CREATE_ERROR_CODES)).toContain(code);
  });
});
