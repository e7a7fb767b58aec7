/** The global is typed as gteway's own session is, where @supabase/functions-js says `unknown`. */
import { expectTypeOf, test } from 'vitest';
import type { GenerateResponse } from 'ollama/browser';
import type { LlmStream, OllamaGenerateResult, Session } from '../lib/index.js';
import '../lib/register.js';

test('the session follows from the name of the model', () => {
  const model = new Supabase.ai.Session('gte-small');
  expectTypeOf(model.run('Hello world', { mean_pool: true, normalize: true })).resolves.toEqualTypeOf<number[]>();
  const llm = new Supabase.ai.Session('mistral');
  expectTypeOf(llm.run('Hi', { stream: false, timeout: 30 })).resolves.toEqualTypeOf<OllamaGenerateResult>();
  expectTypeOf(llm.run('Hi', { stream: true, mode: 'ollama' })).resolves.toEqualTypeOf<LlmStream<GenerateResponse>>();
});

test('it is a class as well as a value', () => {
  expectTypeOf<Supabase.ai.Session<'mistral'>>().toEqualTypeOf<Session<'mistral'>>();
  expectTypeOf<{ mean_pool: true; normalize: true }>().toExtend<Supabase.ai.ModelOptions>();
  expectTypeOf<{ stream: true; mode: 'ollama'; timeout: number }>().toExtend<Supabase.ai.ModelOptions>();
});
