/** GET /api/version: Ollama's; the version is gteway's. */
import type { Route } from '../../server-context.js';

export const ollamaVersionRoute: Route = (app, { version }) => {
  app.get('/api/version', () => ({ version }));
};
