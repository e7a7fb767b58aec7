/** GET /api/tags: Ollama's list of models. */
import { basename, extname } from 'node:path';
import type { ServedModel } from '../../served-model.js';
import type { Route } from '../../server-context.js';

const quantization: Readonly<Record<string, string>> = { fp32: 'F32', fp16: 'F16', bf16: 'BF16', int8: 'Q8_0' };

/** Of the file, by its name: what is computed in may be something else. */
function bytesPerWeight(file: string): number {
  return file.includes('fp16') ? 2 : /int8|quantized/.test(file) ? 1 : 4;
}

/** `33M`: by the size of the file, nearly all of which is weights. */
function parameterSize({ bytes, info }: ServedModel): string {
  const millions = bytes / bytesPerWeight(basename(info.modelFile)) / 1e6;
  return millions >= 1000 ? `${(millions / 1000).toFixed(1)}B` : `${Math.max(1, Math.round(millions))}M`;
}

async function describe(model: ServedModel): Promise<object> {
  const { name, bytes, modifiedAt, info } = model;
  const tag = name.includes(':') ? name : `${name}:latest`;
  return {
    name: tag,
    model: tag,
    modified_at: modifiedAt.toISOString(),
    size: bytes,
    digest: await model.digest(),
    details: {
      parent_model: '',
      format: extname(info.modelFile).slice(1),
      family: 'bert',
      families: ['bert'],
      parameter_size: parameterSize(model),
      quantization_level: quantization[info.dtype] ?? info.dtype,
    },
  };
}

export const ollamaTagsRoute: Route = (app, { models }) => {
  app.get('/api/tags', async () => {
    models.assertLoaded();
    return { models: await Promise.all(models.all.map(describe)) };
  });
};
