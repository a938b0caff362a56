/** The sinks of the broadcast, by name. By itself, so that arguments are checked before anything else is loaded. */

export const SINKS = ['files', 'metrics', 'alerts', 'search'] as const;

export type SinkName = (typeof SINKS)[number];
