/** Model directories small enough to write in every test. Their ONNX files are not ONNX: nothing here loads them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

export const bertConfig = {
  model_type: 'bert',
  hidden_size: 384,
  max_position_embeddings: 512,
  vocab_size: 30522,
};

/** The files of a small model; values are contents. */
export const modelFiles: Readonly<Record<string, string>> = {
  'config.json': JSON.stringify(bertConfig),
  'tokenizer.json': '{"version":"1.0"}',
  'tokenizer_config.json': '{"model_max_length":512}',
  'onnx/model.onnx': 'fp32 weights',
  'onnx/model_fp16.onnx': 'fp16 weights',
  'onnx/model_quantized.onnx': 'int8 weights',
};

/** An empty directory that goes away with the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'gteway-models-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function writeFiles(directory: string, files: Readonly<Record<string, string>>): string {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  return directory;
}

export function modelDirectory(files: Readonly<Record<string, string>> = modelFiles): string {
  return writeFiles(temporaryDirectory(), files);
}
