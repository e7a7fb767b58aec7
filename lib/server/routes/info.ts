/** GET /info: text-embeddings-inference's, and what gteway adds: the other models. */
import type { ServedModel } from '../served-model.js';
import type { Route } from '../server-context.js';

const precisions: Readonly<Record<string, string>> = {
  fp32: 'float32',
  fp16: 'float16',
  bf16: 'bfloat16',
  int8: 'int8',
};

function describe({ name, info, files }: ServedModel): object {
  return {
    model_id: name,
    model_sha: files.revision ?? null,
    model_dtype: precisions[info.dtype] ?? info.dtype,
    model_type: { embedding: { pooling: info.pooling } },
    max_input_length: info.maxTokens,
    max_batch_tokens: info.maxBatchTokens,
    tokenization_workers: info.threads,
    dimensions: info.dimensions,
    device: info.device,
    engine: info.engine,
  };
}

export const infoRoute: Route = (app, { models, options, version }) => {
  app.get('/info', () => {
    const { standard, all } = models;
    return {
      ...describe(standard),
      // Calls are bounded by their texts.
      max_concurrent_requests: options.maxQueue,
      max_batch_requests: null,
      max_client_batch_size: options.maxBatch,
      auto_truncate: true,
      version,
      sha: null,
      docker_label: null,
      models: all.map(describe),
    };
  });
};
