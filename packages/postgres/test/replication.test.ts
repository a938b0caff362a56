/** The connection that the server sends its log on, by itself. */

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
});
