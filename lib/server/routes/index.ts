/** All routes there are. */
import type { Route } from '../server-context.js';
import { ollamaEmbedRoute } from './api/embed.js';
import { ollamaEmbeddingsRoute } from './api/embeddings.js';
import { ollamaTagsRoute } from './api/tags.js';
import { ollamaVersionRoute } from './api/version.js';
import { embedAllRoute } from './embed-all.js';
import { embedRoute } from './embed.js';
import { healthRoute } from './health.js';
import { infoRoute } from './info.js';
import { metricsRoute } from './metrics.js';
import { pageRoute } from './page.js';
import { rerankRoute } from './rerank.js';
import { similarityRoute } from './similarity.js';
import { tokenizeRoute } from './tokenize.js';
import { embeddingsRoute } from './v1/embeddings.js';
import { modelsRoute } from './v1/models.js';
import { documentRerankRoute } from './v1/rerank.js';

export const routes: readonly Route[] = [
  embeddingsRoute,
  modelsRoute,
  embedRoute,
  embedAllRoute,
  tokenizeRoute,
  similarityRoute,
  rerankRoute,
  documentRerankRoute,
  infoRoute,
  healthRoute,
  metricsRoute,
  pageRoute,
];

/** Apart, because Ollama reads a body as JSON whatever its Content-Type says. */
export const ollamaRoutes: readonly Route[] = [
  ollamaEmbedRoute,
  ollamaEmbeddingsRoute,
  ollamaTagsRoute,
  ollamaVersionRoute,
];
