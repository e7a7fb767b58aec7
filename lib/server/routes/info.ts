/** GET /info: text-embeddings-inference's, and what gteway adds: the other models. */
import type { HostedModel } from '../hosted-model.js';
import { ServedModel } from '../served-model.js';
import type { Route } from '../server-context.js';

const precisions: Readonly<Record<string, string>> = {
  fp32: 'float32',
  fp16: 'float16',
  bf16: 'bfloat16',
  int8: 'int8',
};

/** Of a model that gives one score. */
const id2label = { '0': 'LABEL_0' };
const label2id = { LABEL_0: 0 };

function describe(model: HostedModel): object {
  const { name, info, files } = model;
  const embeds = model instanceof ServedModel ? model.info : undefined;
  return {
    model_id: name,
    model_sha: files.revision ?? null,
    model_dtype: precisions[info.dtype] ?? info.dtype,
    model_type:
      embeds === undefined ? { reranker: { id2label, label2id } } : { embedding: { pooling: embeds.pooling } },
    max_input_length: info.maxTokens,
    max_batch_tokens: info.maxBatchTokens,
    tokenization_workers: info.threads,
    ...(embeds === undefined ? {} : { dimensions: embeds.dimensions }),
    device: info.device,
    engine: info.engine,
  };
}

export const infoRoute: Route = (app, { models, options, version }) => {
  app.get('/info', () => {
    const { first, all } = models;
    return {
      ...describe(first),
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
