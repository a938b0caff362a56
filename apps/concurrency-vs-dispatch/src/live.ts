/** Watches modes in the terminal, one after the other, as the keys say. */

import type { GracefulShutdown } from '@streamweld/core';
import { type Action, Keys, stepFrom } from './keys.ts';
import { viewLines } from './live-view.ts';
import type { Mode } from './modes.ts';
import { whole } from './numbers.ts';
import type { Page } from './page.ts';
import { build, type Experiment, type Settings } from './pipeline.ts';
import { type Reading, read } from './reading.ts';
import { perform, type Result } from './run.ts';
import { Screen } from './screen.ts';

const EVERY_MS = 100;
/** Rates and shares are those of about the last two seconds: a change of speed is seen soon. */
const WINDOW_MS = 2000;

export class Live {
  readonly #shutdown: GracefulShutdown;
  readonly #page: Page;
  readonly #screen = new Screen();
  readonly #keys = new Keys((action) => this.#obey(action));
  readonly #hasColors = (process.env['NO_COLOR'] ?? '') === '' && process.stdout.hasColors();
  readonly #draw = (): void => this.#show();
  #settings: Settings;
  #experiment: Experiment | undefined;
  #next: Mode | undefined;
  #readings: Reading[] = [];
  #chosen = 0;
  #notice = '';

  constructor(settings: Settings, shutdown: GracefulShutdown, page: Page) {
    this.#settings = settings;
    this.#shutdown = shutdown;
    this.#page = page;
    if (page.url !== undefined) this.#notice = page.url;
  }

  /** The speeds as they were left. */
  get settings(): Settings {
    return this.#settings;
  }

  /** Beside the keys, until something else is said. */
  say(line: string): void {
    this.#notice = line;
    this.#show();
  }

  /** @returns what each run came to. @throws StreamWeldError SW_PROGRAM_INTERRUPTED after a second Ctrl-C */
  async watch(mode: Mode): Promise<Result[]> {
    const timer = setInterval(this.#draw, EVERY_MS);
    process.stdout.on('resize', this.#draw);
    const results: Result[] = [];
    try {
      this.#next = mode;
      while (this.#next !== undefined && !this.#shutdown.isWanted) {
        const result = await this.#run(this.#next);
        results.push(result);
        const { proof, items } = result;
        this.#notice = `${proof.holds ? '✓' : '✗ WRONG'} ${result.mode}: ${whole(items)} items in, ${proof.says}`;
      }
      return results;
    } finally {
      clearInterval(timer);
      process.stdout.off('resize', this.#draw);
    }
  }

  close(): void {
    this.#keys.close();
    this.#screen.close();
  }

  async #run(mode: Mode): Promise<Result> {
    this.#next = undefined;
    this.#readings = [];
    const experiment = await build(mode, this.#settings);
    this.#page.show(experiment.pipeline);
    this.#chosen = Math.min(this.#chosen, experiment.sinks.length);
    this.#experiment = experiment;
    try {
      return await perform(experiment, this.#shutdown);
    } finally {
      this.#experiment = undefined;
    }
  }

  #show(): void {
    if (this.#experiment === undefined) return;
    const now = read(this.#experiment);
    const readings = this.#readings;
    while (readings[1] !== undefined && now.elapsedMs - readings[1].elapsedMs >= WINDOW_MS) readings.shift();
    this.#screen.draw(
      viewLines({
        now,
        before: readings[0],
        chosen: this.#chosen,
        notice: this.#notice,
        columns: this.#screen.columns,
        rows: this.#screen.rows,
        hasColors: this.#hasColors,
      }),
    );
    readings.push(now);
  }

  #obey(action: Action): void {
    const experiment = this.#experiment;
    if (action.does === 'stop') this.#shutdown.stop();
    if (experiment === undefined) return;
    if (action.does === 'choose') this.#choose(action.by, experiment.sinks.length + 1);
    else if (action.does === 'pace') this.#setPace(experiment, action.by);
    else if (action.does === 'pause') this.#pause(experiment);
    else if (action.does !== 'stop') this.#end(experiment, action.does === 'mode' ? action.mode : undefined);
    this.#show();
  }

  #choose(by: number, rows: number): void {
    this.#chosen = (this.#chosen + by + rows) % rows;
  }

  /** What is changed is kept for the modes that follow. */
  #setPace({ source, sinks }: Experiment, by: 1 | -1): void {
    const stage = this.#chosen === 0 ? source : sinks[this.#chosen - 1];
    if (stage === undefined) return;
    stage.pace.costMs = stepFrom(stage.pace.costMs, by);
    const sinksMs = this.#settings.sinksMs.map((ms, at) => sinks[at]?.pace.costMs ?? ms);
    this.#settings = { ...this.#settings, sourceMs: source.pace.costMs, sinksMs };
    // Shares and rates of before say nothing about the new speed.
    this.#readings = this.#readings.slice(-1);
  }

  #pause({ pipeline }: Experiment): void {
    if (pipeline.state === 'paused') pipeline.resume();
    else if (pipeline.state === 'running') void pipeline.pause();
  }

  #end({ mode, pipeline }: Experiment, next: Mode | undefined): void {
    if (next === mode) return;
    this.#next = next;
    this.#notice = 'What is on its way is delivered …';
    // Whoever waits for the run hears of a failure.
    void pipeline.drain().catch(() => {});
  }
}
