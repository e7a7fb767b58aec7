/** Which files make up a model, and which of them a dtype or a file name chooses. Knows names, touches no disk. */
import { poolingFiles } from './config.js';
import { type FileSet, tokenizerConfigFile } from './file-names.js';
import { promptsFile } from './prompts.js';
import { tableCandidates } from './static-model.js';

export { configFile, type FileSet, tokenizerConfigFile, tokenizerFile } from './file-names.js';

/** Precision of the weights. int8 is dynamic quantisation: weights are 8-bit, activations are quantised as they come. */
export type Dtype = 'fp32' | 'fp16' | 'bf16' | 'int8';

/** File names per dtype, in the `onnx` folder or beside `config.json`, best first. */
const onnxNames: Readonly<Record<Dtype, readonly string[]>> = {
  fp32: ['model.onnx'],
  fp16: ['model_fp16.onnx'],
  // No exporter writes bf16 ONNX files: an engine that computes in bf16 converts the fp32 weights.
  bf16: ['model.onnx'],
  int8: ['model_quantized.onnx', 'model_int8.onnx'],
};

/** Which file of weights is wanted. */
export interface WeightsChoice {
  readonly engine: 'ort' | 'encoder' | 'static';
  readonly dtype: Dtype;
  /** Instead of the one that engine and dtype name. */
  readonly modelFile: string | undefined;
}

/** The names the file can have, best first. */
export function weightsCandidates({ engine, dtype, modelFile }: WeightsChoice): string[] {
  if (modelFile !== undefined) return [modelFile];
  if (engine === 'static') return [...tableCandidates];
  const inFolders = (names: readonly string[]): string[] =>
    ['onnx/', ''].flatMap((folder) => names.map((name) => folder + name));
  if (engine === 'ort') return inFolders(onnxNames[dtype]);
  // The encoder packs what it computes in from any of them. First the one that ONNX Runtime would run as well: a model
  // that turns out to be none for the encoder needs no other file then.
  return [...inFolders(onnxNames.fp32), 'model.safetensors', ...inFolders(onnxNames.fp16)];
}

/** The file of weights that the options choose, or undefined when `files` does not have it. */
export function chooseWeights(files: FileSet, choice: WeightsChoice): string | undefined {
  return weightsCandidates(choice).find((file) => files.has(file));
}

/** Says which file of weights is missing `where`, what there is instead, and which option takes it. */
export function missingWeightsMessage(where: string, onnxFiles: readonly string[], choice: WeightsChoice): string {
  const candidates = weightsCandidates(choice).join(', ');
  const wanted = choice.modelFile ?? `${candidates} (dtype ${choice.dtype})`;
  const there =
    onnxFiles.length === 0
      ? 'It has no .onnx file at all: export the model to ONNX first, or choose another repository.'
      : `It has: ${onnxFiles.join(', ')}. Choose one with the modelFile option, or another dtype.`;
  return `${where} has no ${wanted}. ${there}`;
}

/** Whether this is a file that only the encoder reads. */
export function isSafetensors(file: string | undefined): boolean {
  return file?.endsWith('.safetensors') === true;
}

/** The dtype a file's name states; what `modelFile` loads when no dtype is asked for. */
export function dtypeOfFile(file: string): Dtype {
  if (/fp16/i.test(file)) return 'fp16';
  return /quantized|int8|_q8/i.test(file) ? 'int8' : 'fp32';
}

/**
 * Files holding tensors of `onnx` that did not fit into it (2 GiB is the limit of a protobuf): `model.onnx_data`,
 * `model.onnx_data_1`, … as Transformers.js and optimum name them, or `model.onnx.data` as torch's exporter does.
 */
export function externalDataFiles(files: FileSet, onnx: string): string[] {
  return files.list().filter((file) => file.startsWith(onnx) && /^[._]data(?:_\d+)?$/.test(file.slice(onnx.length)));
}

/** Files worth having that a model can do without. */
export function optionalFiles(kind: 'model' | 'tokenizer', isKnown: boolean): string[] {
  return [tokenizerConfigFile, ...(kind === 'model' && !isKnown ? [...poolingFiles, promptsFile] : [])];
}
