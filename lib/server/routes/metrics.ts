/** GET /metrics: for Prometheus. */
import type { Route } from '../server-context.js';

export const metricsRoute: Route = (app, { metrics }) => {
  app.get('/metrics', { config: { isPublic: true } }, async (_request, reply) => {
    const { type, body } = await metrics.text();
    return reply.type(type).send(body);
  });
};
