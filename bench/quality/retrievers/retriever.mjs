/**
 * Something that finds texts: by vectors (`embed`) or by an index of words (`index`).
 *
 * @typedef {object} Loaded one of the first two is there
 * @property {(texts: string[]) => Promise<Vectors>} [embed]
 * @property {(corpus: string[]) => (query: string) => Float64Array} [index] a query's score for each text, -Infinity: not
 * found
 * @property {() => Promise<void>} close
 * @property {Record<string, unknown>} [info]
 *
 * @typedef {object} Retriever
 * @property {string} name
 * @property {boolean} [ofModel] a variant of the model that is judged, to be compared with its fp32
 * @property {() => Promise<Loaded>} load fails with the reason why it cannot be measured
 *
 * @typedef {{ data: Float32Array, dimensions: number }} Vectors row after row
 */
export {};
