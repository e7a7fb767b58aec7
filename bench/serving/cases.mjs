/**
 * What is measured of a server under load. Each is a file here; run one with `npm run bench -- NAME`.
 *
 * @typedef {object} ServingCase
 * @property {string} name
 * @property {string} about
 * @property {boolean} besideOthers whether other libraries run too
 * @property {(context: Context) => Promise<Outcome>} run
 *
 * @typedef {object} Context
 * @property {() => Promise<Server[]>} startAll gteway first
 * @property {(session?: Record<string, unknown>) => Promise<Server>} startOurs with options of the session beyond the usual
 * @property {(corpus: 'queries' | 'sentences' | 'passages' | 'mixed', count: number) => string[]} texts
 * @property {Settings} settings
 * @property {(text: string) => void} print
 * @property {(text: string) => void} note progress
 *
 * @typedef {{ quick: boolean, seconds?: number, minutes?: number, texts?: number }} Settings what was asked for
 *
 * @typedef {object} Server a library in a process of its own
 * @property {string} name
 * @property {(experiment: string, parameters: object) => Promise<any>} ask
 * @property {() => Promise<void>} restart kills the process, with whatever it was doing
 *
 * @typedef {{ goal: string, measured: string, met: boolean }} Verdict
 * @typedef {{ verdicts: Verdict[], figures: unknown }} Outcome
 */
import { concurrency } from './concurrency.mjs';
import { fairness } from './fairness.mjs';
import { load } from './load.mjs';
import { soak } from './soak.mjs';

/** @type {ServingCase[]} */
export const servingCases = [load, fairness, concurrency, soak];
