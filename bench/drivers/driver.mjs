/**
 * What the file of a competitor exports. One file is one competitor; its variants are the ways people use it.
 *
 * @typedef {object} Driver
 * @property {Variant[]} variants
 * @property {(modelDirectory: string, variant: Variant, options: { threads: number }) => Promise<Loaded>} load
 *
 * @typedef {'auto' | 'fp32' | 'bf16' | 'int8'} Dtype auto: what the library chooses by itself
 * @typedef {'corpus' | 'length' | 'latency' | 'threads'} Kind of case
 *
 * @typedef {object} Variant
 * @property {string} name unique among all drivers
 * @property {Dtype} dtype
 * @property {'together' | 'batches' | 'single'} way all texts in one call; 32 a call; or one a call, each after the other
 * @property {Kind[]} [kinds] the kinds of case it takes part in; default: all
 * @property {boolean} [quick] whether --quick measures it
 * @property {number} [texts] at most so many, of the same distribution: for ways that would take minutes
 * @property {'cls'} [pooling] it cannot take the mean of the tokens, and is compared with first tokens instead
 * @property {string} [forcedIsa] of gteway: the instruction set; left out where the machine lacks it, and where it is
 *   what runs anyway
 * @property {Record<string, unknown>} [session] of gteway: what the session is asked for beyond the dtype
 * @property {string} [root] of gteway: the directory of the build, where it is not this checkout's
 * @property {Record<string, string>} [env] set in the variant's process before anything is loaded
 * @property {boolean} [microBatches] requests go through serving/micro-batcher.mjs
 *
 * @typedef {{ data: Float32Array, dimensions: number }} Vectors row-major
 *
 * @typedef {object} Loaded
 * @property {(texts: string[], pooling?: 'cls') => Promise<Vectors>} embed unit vectors in the order of the texts, mean
 *   pooled; only gteway's takes a pooling
 * @property {(texts: string[]) => Promise<string>} [tune] finds what is fastest for such texts, keeps it, and says it
 * @property {(text: string) => Promise<unknown>} [request] one text, as the handler of a request would have it embedded;
 *   several may be under way
 * @property {() => Promise<unknown>} close
 * @property {Record<string, unknown>} info versions and settings worth recording
 */
export {};
