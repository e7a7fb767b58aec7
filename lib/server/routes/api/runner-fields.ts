/** How Ollama runs a model. Here models stay loaded and run as the server was told to: accepted, and without effect. */
export const runnerFields = {
  options: { type: ['object', 'null'] },
  keep_alive: { type: ['string', 'number', 'null'] },
} as const;
