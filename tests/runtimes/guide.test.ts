/** The code blocks of the Edge AI guide, unchanged but for where they import from, in Deno, Bun and Node. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest';
import { addonIsMissing, root } from '../built-library.js';
import { ScriptedServer, type Script } from '../llm/scripted-server.js';
import { serveFunction, workshop, writeCode, type EdgeFunction } from './edge-function.js';
import { guide, guideIsMissing } from './guide.js';
import { offlineModels } from './model-cache.js';
import { runScript } from './run-script.js';
import { startSupabase, type SupabaseServer } from './supabase-server.js';
import { here, runtimeTools, type RuntimeName, type Tools } from './tools.js';

const missing = guideIsMissing ?? addonIsMissing();
const story = ['Once', ' upon', ' a time…'];
const message = { model: 'mistral', response: story.join(''), done: true, done_reason: 'stop' };

let tools: Tools | undefined;
let noTools: string | undefined;
let supabase: SupabaseServer;
let llm: ScriptedServer;
let environment: Record<string, string>;
const functions: EdgeFunction[] = [];

/** The language model of these tests tells one story, whole or in three pieces. */
const tellStory: Script = async (turn) => {
  const { stream } = turn.request.body as { stream: boolean };
  if (!stream) return turn.respond(200, { 'content-type': 'application/json' }, JSON.stringify(message));
  const lines = story.map((response) => `${JSON.stringify({ model: 'mistral', response, done: false })}\n`);
  await turn.pieces('application/x-ndjson', lines);
  // A story without end, for those who leave.
  if (turn.request.headers['x-endless'] !== undefined) return turn.closed;
  await turn.piece('{"response":"","done":true,"done_reason":"stop"}\n');
  await turn.end();
};

beforeAll(async () => {
  if (missing !== undefined) return;
  const found = await runtimeTools();
  if ('reason' in found) {
    noTools = found.reason;
    return;
  }
  tools = found;
  supabase = await startSupabase(tools);
  llm = await ScriptedServer.start(tellStory);
  environment = {
    ...(await offlineModels()),
    AI_INFERENCE_API_HOST: llm.url,
    SUPABASE_URL: supabase.url,
    SUPABASE_SERVICE_ROLE_KEY: supabase.key,
  };
}, 400_000);

afterAll(async () => {
  await Promise.all(functions.map((served) => served.stop()));
  if (tools === undefined) return;
  await llm.close();
  await supabase.close();
});

function need(context: TestContext): Tools {
  return tools ?? context.skip(missing ?? noTools ?? 'the tools were not prepared');
}

async function serve(context: TestContext, runtime: RuntimeName, name: string, code: string): Promise<EdgeFunction> {
  const served = await serveFunction(need(context).runtime(runtime), name, code, environment);
  functions.push(served);
  return served;
}

async function run(context: TestContext, runtime: RuntimeName, name: string, code: string): Promise<string> {
  const found = need(context).runtime(runtime);
  return runScript(found, [writeCode(found, name, code)], environment, here);
}

const report = `\nconsole.log('RESULT ' + JSON.stringify(result));\n`;
const resultOf = (output: string): unknown => JSON.parse(/^RESULT (.*)$/m.exec(output)?.[1] ?? 'null') as unknown;

describe.each(['deno', 'bun', 'node'] as const)('%s', (runtime) => {
  test('a new session, with the types imported', async (context) => {
    const code = `${guide.types}${guide.newSession}const result = typeof model.run;${report}`;
    expect(resultOf(await run(context, runtime, 'new-session', code))).toBe('function');
  });

  test('the three runs: embedding, generation, streaming', async (context) => {
    const [embedding = '', generation = '', streaming = ''] = guide.runs;
    const code =
      `${guide.types}let result = {};\n` +
      `{ const model = new Supabase.ai.Session('gte-small');\n${embedding}\nresult.dimensions = embeddings.length; }\n` +
      `{ const model = new Supabase.ai.Session('mistral');\n${generation}\nresult.response = response.response; }\n` +
      `{ const model = new Supabase.ai.Session('mistral');\n${streaming}\n` +
      `result.chunks = []; for await (const chunk of stream) result.chunks.push(chunk.response ?? ''); }\n` +
      `${report}process.exit(0);\n`;
    expect(resultOf(await run(context, runtime, 'runs', code))).toEqual({
      dimensions: 384,
      response: story.join(''),
      chunks: [...story, ''],
    });
  });

  test('the embedding function', async (context) => {
    const served = await serve(context, runtime, 'embedding', guide.embedding);
    const response = await served.post({ text: 'Hello world' });
    expect(response.headers.get('content-type')).toContain('application/json');
    const { embeddings } = (await response.json()) as { embeddings: number[] };
    expect(embeddings).toHaveLength(384);
    expect(Math.hypot(...embeddings)).toBeCloseTo(1, 5);
    const again = (await (await served.post({ text: 'Hello world' })).json()) as { embeddings: number[] };
    expect(again.embeddings).toEqual(embeddings);
  });

  test('the similarity search, through supabase-js and pgvector', async (context) => {
    const embedder = await serve(context, runtime, 'embedding', guide.embedding);
    const texts = ['the cat sits on the mat', 'stock markets fell sharply on monday'];
    await supabase.database.exec('truncate documents');
    for (const text of texts) {
      const { embeddings } = (await (await embedder.post({ text })).json()) as { embeddings: number[] };
      await supabase.database.query('insert into documents (content, embedding) values ($1, $2)', [
        text,
        JSON.stringify(embeddings),
      ]);
    }
    const search = await serve(context, runtime, 'similarity-search', guide.similaritySearch);
    for (const query of texts) {
      const { results } = (await (await search.post({ query })).json()) as {
        results: { content: string; similarity: number }[];
      };
      expect(results[0]?.content).toBe(query);
      expect(results[0]?.similarity).toBeCloseTo(1, 5);
    }
  });

  test('the generation function', async (context) => {
    const served = await serve(context, runtime, 'generation', guide.generation);
    const response = await served.post({ prompt: 'Tell me a story' });
    expect(await response.json()).toEqual({ response: message });
    expect(llm.requests.at(-1)?.body).toEqual({ model: 'mistral', prompt: 'Tell me a story', stream: false });
  });

  test("the streaming function, read by the guide's browser code", async (context) => {
    const served = await serve(context, runtime, 'streaming', guide.streaming);
    const response = await served.post({ prompt: 'Tell me a story' });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('cache-control')).toBe('no-cache');
    const events = (await response.text()).split('\n\n').filter(Boolean);
    expect(events.map((event) => (JSON.parse(event.slice('data: '.length)) as { response: string }).response)).toEqual([
      ...story,
      '',
    ]);

    // The browser's side: its own fetch, with the project's address leading to the function.
    const printed = await run(
      context,
      'node',
      `browser-reader-of-${runtime}`,
      `const token = 'anon';
      const real = fetch;
      globalThis.fetch = (url, init) => {
        if (url !== 'https://your-project.supabase.co/functions/v1/llm-chat') throw new Error(url);
        return real(${JSON.stringify(served.url)}, init);
      };
      ${guide.browserReader}`,
    );
    expect(printed.replaceAll(/\n\n+/g, '\n').trim().split('\n')).toHaveLength(story.length + 1);
    for (const piece of story) expect(printed).toContain(JSON.stringify(piece));
  });

  test('a reader of the streaming function who leaves ends the generation', async (context) => {
    const found = need(context);
    let seen: Promise<void> | undefined;
    const endless = await ScriptedServer.start((turn) => {
      seen = turn.closed;
      return turn.pieces('application/x-ndjson', ['{"response":"Once","done":false}\n']).then(() => turn.closed);
    });
    const served = await serveFunction(found.runtime(runtime), 'streaming-left', guide.streaming, {
      ...environment,
      AI_INFERENCE_API_HOST: endless.url,
    });
    functions.push(served);
    const leave = new AbortController();
    const response = await served.post({ prompt: 'Tell me a story' }, leave.signal);
    await response.body?.getReader().read();
    expect(endless.sockets).toBe(1);
    leave.abort();
    await seen;
    await endless.untilNoSockets();
    await endless.close();
  });

  test('the chatbot keeps its history as text', async (context) => {
    const served = await serve(context, runtime, 'chatbot', guide.chatbot);
    const conversationId = `conversation-${runtime}`;
    const first = await served.post({ message: 'Hi', conversationId });
    expect(await first.json()).toEqual({ response: message });
    expect(llm.requests.at(-1)?.body).toMatchObject({ prompt: '\nuser: Hi\nassistant:' });
    await served.post({ message: 'And then?', conversationId });
    // The guide stores the whole message as `content`; as text it is what the next prompt needs.
    expect(llm.requests.at(-1)?.body).toMatchObject({
      prompt: `user: Hi\nassistant: ${story.join('')}\nuser: And then?\nassistant:`,
    });
    const { rows } = await supabase.database.query(
      'select role, content from messages where conversation_id = $1 order by created_at',
      [conversationId],
    );
    expect(rows.map(({ role, content }) => [role, content])).toEqual([
      ['user', 'Hi'],
      ['assistant', story.join('')],
      ['user', 'And then?'],
      ['assistant', story.join('')],
    ]);
  });
});

test('the blocks compile under Deno, with the types that the package brings', (context) => {
  const deno = need(context).runtime('deno');
  const folder = installedPackage();
  const check = (name: string, code: string): string[] => {
    const path = join(folder, `${name}.ts`);
    writeFileSync(path, code);
    const parameters = ['check', '--node-modules-dir=manual', '--no-lock', path];
    const environmentOfCheck = { ...process.env, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' };
    const { status, stderr } = spawnSync(deno.command, parameters, {
      cwd: folder,
      encoding: 'utf8',
      env: environmentOfCheck,
    });
    return status === 0 ? [] : [...stderr.matchAll(/^(TS\d+) \[ERROR\]: (.*)$/gm)].map(([error]) => error);
  };
  const blocks = ['embedding', 'similaritySearch', 'generation', 'streaming'] as const;
  for (const name of blocks) expect(check(name, guide[name]), name).toEqual([]);
  // supabase-js says so of any query; the guide ignores it.
  expect(check('chatbot', guide.chatbot)).toEqual(["TS18047 [ERROR]: 'history' is possibly 'null'."]);
  // That the types are there at all: `unknown` would have compiled too.
  const wrong = `${guide.types}const vector: string = await new Supabase.ai.Session('gte-small').run('Hi');\n`;
  expect(check('wrong', wrong)).toEqual(["TS2322 [ERROR]: Type 'number[]' is not assignable to type 'string'."]);
});

/** A folder with gteway as npm would install it. Linked to its sources, Deno would take it for code of the project. */
function installedPackage(): string {
  const folder = join(workshop, 'installed');
  const modules = join(folder, 'node_modules');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(modules, { recursive: true });
  for (const part of ['dist', 'types', 'package.json']) {
    cpSync(join(root, part), join(modules, 'gteway', part), { recursive: true });
  }
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: object };
  for (const name of [...Object.keys(dependencies), '@types', 'undici-types']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
  }
  symlinkSync(join(here, 'node_modules', '@supabase'), join(modules, '@supabase'), 'junction');
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, type: 'module', dependencies: { gteway: '*', '@supabase/supabase-js': '*' } }),
  );
  return folder;
}
