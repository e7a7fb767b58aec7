/**
 * BERT as the paper describes it (Devlin et al., 2018, https://arxiv.org/abs/1810.04805; Vaswani et al., 2017,
 * https://arxiv.org/abs/1706.03762), in float64 and without any trick: the truth that every engine is compared with.
 *
 * One sequence at a time, so there is no padding and no mask. S: tokens, H: hidden size, A: heads, D = H / A.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors, type ReferenceTensor } from './safetensors.js';

export interface ReferenceConfig {
  layers: number;
  hidden: number;
  heads: number;
  epsilon: number;
}

/** A matrix, row-major. */
interface Matrix {
  rows: number;
  columns: number;
  data: Float64Array;
}

export class ReferenceBert {
  readonly config: ReferenceConfig;
  readonly #tensors: ReadonlyMap<string, ReferenceTensor>;

  constructor(config: ReferenceConfig, tensors: ReadonlyMap<string, ReferenceTensor>) {
    this.config = config;
    this.#tensors = tensors;
  }

  /** Reads config.json and model.safetensors of a model directory. */
  static load(directory: string): ReferenceBert {
    const json = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8')) as Record<string, unknown>;
    const config = {
      layers: Number(json.num_hidden_layers),
      hidden: Number(json.hidden_size),
      heads: Number(json.num_attention_heads),
      epsilon: Number(json.layer_norm_eps),
    };
    return new ReferenceBert(config, readSafetensors(join(directory, 'model.safetensors')));
  }

  /** Token ids [S] → last hidden state [S, H], row-major. */
  forward(ids: readonly number[]): Float64Array {
    let hidden = this.#embed(ids); // [S, H]
    for (let layer = 0; layer < this.config.layers; layer++) hidden = this.#layer(`encoder.layer.${layer}`, hidden);
    return hidden.data;
  }

  /** Token ids [S] → the mean of the last hidden state over the tokens, scaled to length 1: [H]. */
  embed(ids: readonly number[]): Float64Array {
    return normalise(meanPool(this.forward(ids), this.config.hidden));
  }

  #embed(ids: readonly number[]): Matrix {
    const words = this.#matrix('embeddings.word_embeddings.weight'); // [V, H]
    const positions = this.#matrix('embeddings.position_embeddings.weight'); // [P, H]
    const types = this.#matrix('embeddings.token_type_embeddings.weight'); // [2, H]
    const sum = zeros(ids.length, this.config.hidden); // [S, H]
    for (let s = 0; s < ids.length; s++) {
      for (let h = 0; h < this.config.hidden; h++) {
        set(sum, s, h, at(words, ids[s] ?? 0, h) + at(positions, s, h) + at(types, 0, h));
      }
    }
    return this.#layerNorm('embeddings.LayerNorm', sum);
  }

  #layer(name: string, input: Matrix): Matrix {
    const attended = this.#linear(`${name}.attention.output.dense`, this.#attention(name, input)); // [S, H]
    const middle = this.#layerNorm(`${name}.attention.output.LayerNorm`, add(attended, input)); // [S, H]
    const wide = this.#linear(`${name}.intermediate.dense`, middle); // [S, 4H]
    const narrow = this.#linear(`${name}.output.dense`, { ...wide, data: wide.data.map(gelu) }); // [S, H]
    return this.#layerNorm(`${name}.output.LayerNorm`, add(narrow, middle)); // [S, H]
  }

  /** softmax(Q Kᵀ / √D) V for each head, the heads side by side: [S, H] → [S, H]. */
  #attention(name: string, input: Matrix): Matrix {
    const query = this.#linear(`${name}.attention.self.query`, input); // [S, H], head a in columns a·D … a·D + D − 1
    const key = this.#linear(`${name}.attention.self.key`, input);
    const value = this.#linear(`${name}.attention.self.value`, input);
    const sequence = input.rows;
    const size = this.config.hidden / this.config.heads;
    const output = zeros(sequence, this.config.hidden);
    for (let head = 0; head < this.config.heads; head++) {
      for (let s = 0; s < sequence; s++) {
        const scores = new Float64Array(sequence); // one for each token that s may look at
        for (let t = 0; t < sequence; t++) {
          let product = 0;
          for (let d = head * size; d < (head + 1) * size; d++) product += at(query, s, d) * at(key, t, d);
          scores[t] = product / Math.sqrt(size);
        }
        const weights = softmax(scores);
        for (let d = head * size; d < (head + 1) * size; d++) {
          let sum = 0;
          for (let t = 0; t < sequence; t++) sum += (weights[t] ?? 0) * at(value, t, d);
          set(output, s, d, sum);
        }
      }
    }
    return output;
  }

  /** x Wᵀ + b: [S, I] → [S, O] with W [O, I], b [O]. */
  #linear(name: string, input: Matrix): Matrix {
    const weight = this.#matrix(`${name}.weight`);
    const bias = this.#vector(`${name}.bias`);
    const output = zeros(input.rows, weight.rows);
    for (let s = 0; s < input.rows; s++) {
      for (let o = 0; o < weight.rows; o++) {
        let sum = bias[o] ?? 0;
        for (let i = 0; i < weight.columns; i++) sum += at(input, s, i) * at(weight, o, i);
        set(output, s, o, sum);
      }
    }
    return output;
  }

  /** (x − mean) / √(variance + ε) · weight + bias, for each row. */
  #layerNorm(name: string, input: Matrix): Matrix {
    const weight = this.#vector(`${name}.weight`);
    const bias = this.#vector(`${name}.bias`);
    const output = zeros(input.rows, input.columns);
    for (let s = 0; s < input.rows; s++) {
      const row = input.data.subarray(s * input.columns, (s + 1) * input.columns);
      const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
      const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
      for (let h = 0; h < row.length; h++) {
        const unit = ((row[h] ?? 0) - mean) / Math.sqrt(variance + this.config.epsilon);
        set(output, s, h, unit * (weight[h] ?? 0) + (bias[h] ?? 0));
      }
    }
    return output;
  }

  #tensor(name: string): ReferenceTensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new Error(`no tensor named ${name}`);
    return tensor;
  }

  #matrix(name: string): Matrix {
    const { shape, data } = this.#tensor(name);
    const [rows = 0, columns = 0] = shape;
    return { rows, columns, data };
  }

  #vector(name: string): Float64Array {
    return this.#tensor(name).data;
  }
}

/** [S, H] → [H] */
export function meanPool(hiddenState: Float64Array, hidden: number): Float64Array {
  const sequence = hiddenState.length / hidden;
  const mean = new Float64Array(hidden);
  for (let i = 0; i < hiddenState.length; i++) {
    mean[i % hidden] = (mean[i % hidden] ?? 0) + (hiddenState[i] ?? 0) / sequence;
  }
  return mean;
}

/** v / ‖v‖ */
export function normalise(vector: Float64Array): Float64Array {
  const length = Math.hypot(...vector);
  return vector.map((x) => x / length);
}

export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`cosine of ${a.length} and ${b.length} numbers`);
  let product = 0;
  let squaresOfA = 0;
  let squaresOfB = 0;
  for (let i = 0; i < a.length; i++) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    product += x * y;
    squaresOfA += x * x;
    squaresOfB += y * y;
  }
  return product / Math.sqrt(squaresOfA * squaresOfB);
}

/** x/2 · (1 + erf(x/√2)) */
export function gelu(x: number): number {
  return 0.5 * x * (1 + erf(x / Math.SQRT2));
}

/**
 * The error function, to about 1e-15: its Taylor series 2/√π Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1)) near 0, and further out the
 * continued fraction of its complement, evaluated from the inside (Abramowitz and Stegun 7.1.5 and 7.1.14).
 */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let power = x;
    let sum = x;
    for (let n = 1; Math.abs(power) > 1e-18 * Math.abs(sum); n++) {
      power *= (-x * x) / n;
      sum += power / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = z;
  for (let n = 120; n >= 1; n--) fraction = z + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-z * z) / (Math.sqrt(Math.PI) * fraction));
}

function softmax(scores: Float64Array): Float64Array {
  const largest = Math.max(...scores);
  const powers = scores.map((x) => Math.exp(x - largest));
  const sum = powers.reduce((total, x) => total + x, 0);
  return powers.map((x) => x / sum);
}

function add(a: Matrix, b: Matrix): Matrix {
  return { ...a, data: a.data.map((x, i) => x + (b.data[i] ?? 0)) };
}

function zeros(rows: number, columns: number): Matrix {
  return { rows, columns, data: new Float64Array(rows * columns) };
}

function at(matrix: Matrix, row: number, column: number): number {
  return matrix.data[row * matrix.columns + column] ?? 0;
}

function set(matrix: Matrix, row: number, column: number, value: number): void {
  matrix.data[row * matrix.columns + column] = value;
}
