/** The types of a run follow from its mode, its prompt and whether it streams. */
import { describe, expectTypeOf, test } from 'vitest';
import type { ChatCompletionChunk } from '../../lib/llm/chat-completions.js';
import type { LlmClient, LlmResult } from '../../lib/llm/client.js';
import type { ChatCompletionResult, OllamaChatResult, OllamaGenerateResult } from '../../lib/llm/result.js';
import type { LlmStream } from '../../lib/llm/stream.js';

declare const llm: LlmClient;
const messages = [{ role: 'user', content: 'Hi' }];

describe('run', () => {
  test('whole answers', () => {
    expectTypeOf(llm.run('Hi')).resolves.toEqualTypeOf<OllamaGenerateResult>();
    expectTypeOf(
      llm.run('Hi', { mode: 'ollama', stream: false, timeout: 30 }),
    ).resolves.toEqualTypeOf<OllamaGenerateResult>();
    expectTypeOf(llm.run({ messages })).resolves.toEqualTypeOf<OllamaChatResult>();
    expectTypeOf(llm.run('Hi', { mode: 'openaicompatible' })).resolves.toEqualTypeOf<ChatCompletionResult>();
    expectTypeOf(llm.run({ messages }, { mode: 'openaicompatible' })).resolves.toEqualTypeOf<ChatCompletionResult>();
  });

  test('streams', async () => {
    for await (const chunk of await llm.run('Hi', { stream: true, mode: 'ollama' })) {
      expectTypeOf(chunk.response).toEqualTypeOf<string | undefined>();
    }
    for await (const chunk of await llm.run({ messages }, { stream: true })) {
      expectTypeOf(chunk.message.content).toEqualTypeOf<string>();
    }
    expectTypeOf(llm.run('Hi', { mode: 'openaicompatible', stream: true })).resolves.toEqualTypeOf<
      LlmStream<ChatCompletionChunk>
    >();
  });

  test('a stream is a body', async () => {
    new Response(await llm.run('Hi', { stream: true }), { headers: { 'Content-Type': 'text/event-stream' } });
    expectTypeOf((await llm.run('Hi', { stream: true })).textStream()).toEqualTypeOf<ReadableStream<string>>();
  });

  test('what is known only at run time is all it can be', () => {
    expectTypeOf(llm.run('Hi', { stream: Math.random() > 0.5 })).resolves.toEqualTypeOf<LlmResult>();
  });

  test('options belong to their mode and prompt', () => {
    // @ts-expect-error tools need messages
    void llm.run('Hi', { stream: true, tools: [] });
    // @ts-expect-error no such mode
    void llm.run('Hi', { mode: 'openai' });
    // @ts-expect-error a body field is no option
    void llm.run('Hi', { mode: 'openaicompatible', temperature: 0 });
    // @ts-expect-error neither a string nor messages
    void llm.run({ prompt: 'Hi' });
  });
});
