/**
 * What the file of a competitor exports. One file is one competitor.
 *
 * @typedef {object} Way how people call it
 * @property {string} name
 * @property {(texts: string[]) => void | Promise<void>} run tokenises all texts, special tokens added, nothing cut
 * @property {(texts: string[]) => ArrayLike<number>[] | Promise<ArrayLike<number>[]>} ids the same, for the comparison
 *
 * @typedef {object} Driver
 * @property {string} name
 * @property {(modelDirectory: string) => Promise<Way[]>} load
 */
export {};
