/** What a process of the run can be. */

export const ROLES = ['enricher', 'projection', 'cache', 'board'] as const;
export type Role = (typeof ROLES)[number];
