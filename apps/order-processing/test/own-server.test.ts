import { existsSync } from 'node:fs';
import { appendFile, chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppProcess, expectProved } from '@streamweld/app-kit/test';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** A net for what hangs: machines that run this are busy. */
const TIMEOUT = 120_000;

const main = new URL('../src/main.ts', import.meta.url);
let folder: string;
let app: AppProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'orders-'));
  // The server that is brought along may run as another user.
  await chmod(folder, 0o755);
});

afterEach(async () => {
  await app?.kill();
  await rm(folder, { recursive: true, force: true });
});

/** @returns the app, which is ended after the test if it has not. */
function start(args: readonly string[], env?: NodeJS.ProcessEnv): AppProcess {
  return (app = new AppProcess(main, ['--out', folder, '--progress', 'plain', ...args], { env }));
}

const deadLetters = () => join(folder, 'dead-letters.ndjson');

describe('order-processing with the server that it brings along', () => {
  it(
    'processes orders, proves what came of them, and pays those in the dead letter by a replay',
    async () => {
      const ran = await start(['--orders', '300']).ended;
      expectProved(ran, 12);
      const [, dead = ''] =
        /300 orders: \d+ paid once, (\d+) in the dead letter, 0 in neither/.exec(ran.stdout) ?? [];
      expect(Number(dead)).toBeGreaterThan(0);
      expect(ran.stdout).toMatch(/Postgres \d+\.\d+, brought along: started in [\d.]+ s/);
      expect(ran.stdout).toMatch(/payment +\d+ +\d+ of 200 +\d+ % +[1-9]\d* +[1-9]/);
      expect(ran.stdout).toContain('300 of 300 orders have their mail');
      expect(ran.stdout).toContain('0 came twice');
      expect(ran.stdout).toContain(`replay ${deadLetters()} --mended`);
      expect(ran.stderr).toMatch(/orders completed in .*300 items/);
      // Nothing but text: escape sequences are for terminals.
      expect(ran.stdout + ran.stderr).not.toContain('\u001B');
      expect(existsSync(join(folder, 'postgres', 'data', 'postmaster.pid'))).toBe(false);

      const inVain = await start(['replay', deadLetters()]).ended;
      expectProved(inVain, 3);
      expect(inVain.stdout).toContain(`0 paid now, 0 had been before, ${dead} left`);
      expect(inVain.stdout).toContain(`, in ${join(folder, 'dead-letters.2.ndjson')}`);

      const mended = await start(['replay', join(folder, 'dead-letters.2.ndjson'), '--mended']).ended;
      expectProved(mended, 3);
      expect(mended.stdout).toContain(`${dead} paid now, 0 had been before, 0 left`);
      expect(mended.stdout).toContain('300 of 300 orders of the run are paid, 0 not yet');

      // As a kill leaves it, and the next start ends it.
      await appendFile(deadLetters(), '{"item":{"id":1,"placed\n');
      const again = await start(['replay', deadLetters(), '--mended']).ended;
      expectProved(again, 3);
      expect(again.stdout).toContain(`0 paid now, ${dead} had been before, 0 left`);
      expect(again.stdout).toContain('€0.00 taken now');

      const strange = join(folder, 'strange.ndjson');
      await writeFile(strange, '{"stage":"billing","item":{"id":1}}\n');
      const refused = await start(['replay', strange]).ended;
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/^ORDERS_LETTER_UNKNOWN: .*no dead letter of a payment/m);
    },
    TIMEOUT,
  );

  it(
    'leaves no server behind when it is killed, and goes on with its data',
    async () => {
      const running = start(['--orders', '100000']);
      await running.says(/Mails go by SMTP/);
      const pid = Number(
        (await readFile(join(folder, 'postgres', 'data', 'postmaster.pid'), 'utf8')).split('\n')[0],
      );
      running.child.kill('SIGKILL');
      await running.ended;
      expect(() => process.kill(pid, 0)).toThrow('ESRCH');

      const next = start(['--orders', '100000']);
      await next.says(/it is start 2 of this run/);
      next.interrupt();
      expectProved(await next.ended, 12);
    },
    TIMEOUT,
  );
});
