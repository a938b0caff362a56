/** Databases for runs of the app, and what is asked of them from outside. */

import * as kit from '@streamweld/app-kit/test';
import type pg from 'pg';
import { SCHEMA } from '../src/arguments.ts';

/** A database of its own on the server. @returns its URL. */
export const newDatabase = (server: string): Promise<string> => kit.newDatabase(server, 'orders');

export const ask = <R extends pg.QueryResultRow>(url: string, text: string): Promise<R[]> =>
  kit.ask<R>(url, SCHEMA, text);

/** Resolves when the run has paid so many orders. */
export const untilPaid = (url: string, orders: number): Promise<void> =>
  kit.untilCount(url, orders, `select count(*)::int as count from ${SCHEMA}.payments`);

/** Resolves when the run would go on behind so many orders, were it killed now. */
export const untilKept = (url: string, orders: number): Promise<void> =>
  kit.untilCount(url, orders, `select max(position::int) as count from ${SCHEMA}.streamweld_checkpoints`);
