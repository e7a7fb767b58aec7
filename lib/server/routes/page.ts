/** GET /: a page to try the server in a browser. Its three files lie in web/, and nothing else is ever loaded by it. */
import { readFileSync } from 'node:fs';
import type { Route } from '../server-context.js';

/** The same from lib/server/routes as from dist/server/routes. */
const folder = new URL('../../../web/', import.meta.url);

const files = [
  { path: '/', file: 'index.html', type: 'text/html; charset=utf-8' },
  { path: '/page.css', file: 'page.css', type: 'text/css; charset=utf-8' },
  { path: '/page.js', file: 'page.js', type: 'text/javascript; charset=utf-8' },
] as const;

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export const pageRoute: Route = (app) => {
  for (const { path, file, type } of files) {
    const content = readFileSync(new URL(file, folder));
    app.get(path, { config: { isPublic: true } }, (_request, reply) =>
      reply
        .headers({
          'content-type': type,
          'content-security-policy': policy,
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          'cache-control': 'no-cache',
        })
        .send(content),
    );
  }
};
