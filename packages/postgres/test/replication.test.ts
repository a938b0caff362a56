/** The connection that the server sends its log on, by itself. */

import { installRuntime } from '@streamweld/core/connector';
import { expect, it, vi } from 'vitest';
import { Replication } from '../src/replication.ts';
import { describeWithPostgres } from './service.ts';

describeWithPostgres('replication', (database) => {
  it('may be asked for again and again while another has the slot, and keeps nothing of it', async () => {
    const { url } = database();
    await database().query('create publication asked for all tables');
    const handlers = { onMessage: () => {}, onIdle: () => {}, onEnd: () => {} };
    const first = new Replication(url, 'first');
    const second = new Replication(url, 'second');
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    try {
      await first.connect();
      const { lsn } = await first.createSlot('asked', false);
      await first.start('asked', 'asked', lsn, handlers);
      await second.connect();
      for (let time = 0; time < 12; time++) {
        await expect(second.start('asked', 'asked', lsn, handlers)).rejects.toMatchObject({ code: '55006' });
      }
      // Node warns of more than ten listeners.
      expect(warn).not.toHaveBeenCalled();
      await first.close();
      await expect
        .poll(() => database().query("select active from pg_replication_slots where slot_name = 'asked'"))
        .toEqual([{ active: false }]);
      await second.start('asked', 'asked', lsn, handlers);
    } finally {
      warn.mockRestore();
      await first.close();
      await second.close();
      await expect
        .poll(() => database().query("select active from pg_replication_slots where slot_name = 'asked'"))
        .toEqual([{ active: false }]);
      await database().query("select pg_drop_replication_slot('asked')");
    }
  });

  it('does not take questions that were asked while it was paused for those of a server that is being shut down', async () => {
    // The server asks after 0.5 s of silence, and is told something every 0.6 s.
    const restore = installRuntime({
      now: () => performance.now(),
      setTimer: (callback, ms) => setTimeout(callback, ms === 10_000 ? 600 : ms),
      clearTimer: (timer) => clearTimeout(timer as number),
      random: () => Math.random(),
      yield: (callback) => setImmediate(callback),
    });
    const url = new URL(database().url);
    url.searchParams.set('options', '-c wal_sender_timeout=1000');
    await database().query('create publication paused for all tables');
    const replication = new Replication(url.href, 'paused');
    const ended: unknown[] = [];
    let answers = 0;
    let urgent = 0;
    try {
      await replication.connect();
      const { lsn } = await replication.createSlot('paused', true);
      await replication.start('paused', 'paused', lsn, {
        onMessage: () => {},
        onIdle: (_, isUrgent) => {
          answers += 1;
          if (isUrgent) urgent += 1;
        },
        onEnd: (error) => ended.push(error),
      });
      replication.pause();
      const told = answers;
      // As long as it takes for several of them.
      await new Promise((resolve) => setTimeout(resolve, 4000));
      replication.resume();
      await expect.poll(() => answers - told, { timeout: 5000 }).toBeGreaterThan(5);
      expect([urgent, ended]).toEqual([0, []]);
    } finally {
      restore();
      await replication.close();
      await database().query('drop publication paused');
    }
  });
});
