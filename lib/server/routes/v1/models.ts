/** GET /v1/models and /v1/models/:id: OpenAI's. https://platform.openai.com/docs/api-reference/models */
import type { HostedModel } from '../../hosted-model.js';
import type { Route } from '../../server-context.js';

function describe({ name, modifiedAt }: HostedModel): object {
  return { id: name, object: 'model', created: Math.floor(modifiedAt.getTime() / 1000), owned_by: 'gteway' };
}

export const modelsRoute: Route = (app, { models }) => {
  app.get('/v1/models', () => {
    models.assertLoaded();
    return { object: 'list', data: models.all.map(describe) };
  });
  // A wildcard: names may be owner/name.
  app.get<{ Params: { '*': string } }>('/v1/models/*', (request) => describe(models.findAny(request.params['*'])));
};
