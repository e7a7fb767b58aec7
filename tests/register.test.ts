/** The global that `gteway/register` installs, and the sessions it gives. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Session } from '../lib/index.js';
import '../lib/register.js';
import { addonIsMissing } from './built-library.js';
import { failureOf } from './llm/failure-of.js';
import { offlineModels } from './runtimes/model-cache.js';

const { Session: EdgeSession } = Supabase.ai;

beforeAll(async () => {
  for (const [name, value] of Object.entries(await offlineModels())) vi.stubEnv(name, value);
});
afterAll(() => vi.unstubAllEnvs());

test('Supabase.ai.Session is a Session, under that name', () => {
  expect(EdgeSession.name).toBe('Session');
  expect(new EdgeSession('mistral')).toBeInstanceOf(Session);
});

describe('sessions that are made for each request and never closed', () => {
  test('are one for an embedding model, until it is closed', async (context) => {
    const missing = addonIsMissing();
    if (missing !== undefined) context.skip(missing);
    const first = new EdgeSession('gte-small');
    expect(new EdgeSession('gte-small')).toBe(first);
    expect(await new EdgeSession('gte-small').run('Hello')).toHaveLength(384);
    const closing = first.close();
    const second = new EdgeSession('gte-small');
    expect(second).not.toBe(first);
    await closing;
    expect(new EdgeSession('gte-small')).toBe(second);
    expect(await second.run('Hello')).toHaveLength(384);
    await second.close();
  });

  test('are not kept when the model cannot be loaded', async () => {
    const first = new EdgeSession('./no-such-model');
    const error = await failureOf(first.run('Hello'));
    expect(error.code).toBe('ERR_MODEL_NOT_FOUND');
    expect(new EdgeSession('./no-such-model')).not.toBe(first);
  });

  test('are their own with options, and for language models, which read the environment when they are made', async () => {
    expect(new EdgeSession('mistral')).not.toBe(new EdgeSession('mistral'));
    const options = { offline: true };
    const sessions = [new EdgeSession('./no-such-model', options), new EdgeSession('./no-such-model', options)];
    expect(sessions[0]).not.toBe(sessions[1]);
    await Promise.all(sessions.map((session) => failureOf(session.ready())));
  });
});
