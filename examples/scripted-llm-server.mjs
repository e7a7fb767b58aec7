/**
 * NOT a language model: a server that speaks as Ollama and llamafile do, and says what is scripted here. It lets the
 * examples run where there is no model. Set AI_INFERENCE_API_HOST to talk to a real one instead.
 */
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** What it says to a conversation: enough to see that the whole conversation reached it. */
function reply(messages) {
  const said = messages.filter(({ role }) => role === 'user').map(({ content }) => content);
  const [first] = said;
  if (said.length === 1) return `(scripted) You said "${first}", and I remember it.`;
  return `(scripted) That was message ${said.length}. It all began with "${first}".`;
}

/** Starts it on a free port of loopback. */
export async function startScriptedLlmServer({ pauseMs = 15 } = {}) {
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) text += piece;
    const { model, prompt, messages = [{ role: 'user', content: prompt }], stream = true } = JSON.parse(text);
    const answer = reply(messages);
    const dialect = dialects[request.url];
    if (dialect === undefined) return response.writeHead(404).end('{"error":"not found"}');
    if (!stream) return response.end(JSON.stringify(dialect.whole(model, answer)));
    response.writeHead(200, { 'content-type': dialect.type });
    for (const word of answer.split(/(?= )/)) {
      if (response.destroyed) return;
      response.write(dialect.piece(model, word));
      await sleep(pauseMs);
    }
    response.end(dialect.end(model));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

const line = (object) => `${JSON.stringify(object)}\n`;
const event = (object) => `data: ${JSON.stringify(object)}\n\n`;
const choice = (delta, finish_reason = null) => ({ choices: [{ index: 0, delta, finish_reason }] });
const assistant = (content) => ({ role: 'assistant', content });

const dialects = {
  '/api/generate': {
    type: 'application/x-ndjson',
    whole: (model, response) => ({ model, response, done: true, done_reason: 'stop' }),
    piece: (model, response) => line({ model, response, done: false }),
    end: (model) => line({ model, response: '', done: true, done_reason: 'stop' }),
  },
  '/api/chat': {
    type: 'application/x-ndjson',
    whole: (model, text) => ({ model, message: assistant(text), done: true, done_reason: 'stop' }),
    piece: (model, text) => line({ model, message: assistant(text), done: false }),
    end: (model) => line({ model, message: assistant(''), done: true, done_reason: 'stop' }),
  },
  '/v1/chat/completions': {
    type: 'text/event-stream',
    whole: (model, text) => ({ model, choices: [{ index: 0, message: assistant(text), finish_reason: 'stop' }] }),
    piece: (model, content) => event({ model, ...choice({ content }) }),
    end: (model) => `${event({ model, ...choice({}, 'stop') })}data: [DONE]\n\n`,
  },
};
