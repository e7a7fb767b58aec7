/** GET /api/tags: Ollama's list of models, which has no rerankers. */
import { dtypeOfFile, isSafetensors } from '../../../models/model-files.js';
import type { HostedModel } from '../../hosted-model.js';
import { ServedModel } from '../../served-model.js';
import type { Route } from '../../server-context.js';

const bytesPerWeight: Readonly<Record<string, number>> = { fp32: 4, fp16: 2, bf16: 4, int8: 1 };
const quantization: Readonly<Record<string, string>> = { fp32: 'F32', fp16: 'F16', bf16: 'BF16', int8: 'Q8_0' };

/** `33M`: by the size of the file, nearly all of which is weights. */
function parameterSize(bytes: number, dtype: string): string {
  const millions = bytes / (bytesPerWeight[dtype] ?? 4) / 1e6;
  return millions >= 1000 ? `${(millions / 1000).toFixed(1)}B` : `${Math.max(1, Math.round(millions))}M`;
}

async function describe(model: HostedModel): Promise<object> {
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
      format: isSafetensors(info.modelFile) ? 'safetensors' : 'onnx',
      family: 'bert',
      families: ['bert'],
      parameter_size: parameterSize(bytes, dtypeOfFile(info.modelFile)),
      quantization_level: quantization[info.dtype] ?? info.dtype,
    },
  };
}

export const ollamaTagsRoute: Route = (app, { models }) => {
  app.get('/api/tags', async () => {
    models.assertLoaded();
    return { models: await Promise.all(models.all.filter((model) => model instanceof ServedModel).map(describe)) };
  });
};
