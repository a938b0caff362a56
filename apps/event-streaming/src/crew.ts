/** The services: starts their processes, hears what they tell, and sees to those that are gone. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Refusal } from '@streamweld/app-kit';
import type { Role } from './roles.ts';
import type { Order, Word } from './service.ts';

const PROGRAM = fileURLToPath(new URL('service.ts', import.meta.url));
/** How often a service whose process is gone gets another one. */
const MOST_STARTS = 4;

export interface CrewEvents {
  did(service: Service, ids: readonly number[], at: number): void;
  page(what: 'board' | 'inspector', url: string): void;
  /** Something that the user should see. */
  say(line: string): void;
  /** Nobody of the role is left, nor comes again. */
  lost(role: Role): void;
}

export interface Service {
  readonly role: Role;
  /** From 1 on, of its role. */
  readonly number: number;
  /** `enricher 2` */
  readonly name: string;
  readonly pid: number | undefined;
  /** Ended before it was told to: killed, or failed. */
  isGone: boolean;
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
}

export class Crew {
  readonly services: Service[] = [];
  readonly #order: Omit<Order, 'role' | 'number'>;
  readonly #events: CrewEvents;
  #isEnding = false;

  constructor(order: Omit<Order, 'role' | 'number'>, events: CrewEvents) {
    this.#order = order;
    this.#events = events;
  }

  /** Resolves when it has its place. @throws Refusal with the code of what it failed for */
  async start(role: Role): Promise<void> {
    const number = this.#of(role).length + 1;
    const child = fork(PROGRAM, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // A group of its own: a Ctrl-C is for the one that leads, which ends the others in time.
      detached: true,
    });
    const exited = once(child, 'exit');
    const name = `${role} ${number}`;
    const service: Service = { role, number, name, pid: child.pid, isGone: false, child, exited };
    this.services.push(service);
    let failure: Refusal | undefined;
    const ready = new Promise<void>((resolve, reject) => {
      child.on('message', (word: Word) => {
        if (word.kind === 'ready') resolve();
        else if (word.kind === 'did') this.#events.did(service, word.ids, word.at);
        else if (word.kind === 'page') this.#events.page(word.what, word.url);
        else failure = new Refusal(word.code, `${name} failed: ${word.message}`);
      });
      child.once('error', ({ message }) => (failure ??= notStarted(name, message)));
      child.once('exit', (code, signal) => {
        if (this.#isEnding) return resolve();
        service.isGone = true;
        reject(failure ?? notStarted(name, `it ended with ${signal ?? code}`));
      });
    });
    child.send({ ...this.#order, role, number } satisfies Order, () => {});
    await ready;
    void exited.then(() => this.#see(service, failure));
  }

  /** Kills one with SIGKILL, which it does not notice. @returns it, if there is one */
  kill(role: Role): Service | undefined {
    const service = this.#of(role).find(({ isGone }) => !isGone);
    service?.child.kill('SIGKILL');
    return service;
  }

  /** Lets them finish what is on its way. */
  async stop(): Promise<void> {
    this.#isEnding = true;
    for (const { child } of this.services) if (child.connected) child.send('stop', () => {});
    await Promise.all(this.services.map(({ exited }) => exited));
  }

  /** Ends them at once. */
  abort(): void {
    this.#isEnding = true;
    for (const { child } of this.services) child.kill('SIGKILL');
  }

  #of(role: Role): Service[] {
    return this.services.filter((service) => service.role === role);
  }

  /** One is gone that nobody told to go. */
  #see({ role, name, child }: Service, failure: Refusal | undefined): void {
    if (this.#isEnding) return;
    if (failure !== undefined) {
      this.#events.say(`${failure.code}: ${failure.message}`);
    } else this.#events.say(`${name} is gone (${child.signalCode ?? `code ${child.exitCode}`})`);
    const others = this.#of(role).filter(({ isGone }) => !isGone);
    if (others.length > 0) {
      this.#events.say(`  the other ${others.length} of its group get its share in a few seconds`);
      return;
    }
    // What failed would fail again: it has tried for long.
    if (failure !== undefined || this.#of(role).length >= MOST_STARTS) {
      this.#events.lost(role);
      return;
    }
    this.#events.say('  another process takes its place');
    this.start(role).catch((error: Error) => {
      this.#events.say(error.message);
      this.#events.lost(role);
    });
  }
}

function notStarted(name: string, reason: string): Refusal {
  return new Refusal(
    'EVENTS_SERVICE_FAILED',
    `${name} did not start: ${reason}. What it wrote is above; run again.`,
  );
}
