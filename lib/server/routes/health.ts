/** GET /health: 200 when every model is loaded and has passed its self-test, and the server is not closing. */
import { RequestFailure } from '../failures.js';
import type { Route } from '../server-context.js';

export const healthRoute: Route = (app, { models }) => {
  app.get('/health', { config: { isPublic: true } }, () => {
    if (models.isReady) return { status: 'ok', models: models.all.map(({ name }) => name) };
    throw new RequestFailure('unavailable', models.isClosing ? 'the server is closing' : 'the model is being loaded');
  });
};
