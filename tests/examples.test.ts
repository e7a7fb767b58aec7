/** Every example runs, offline, with the command that its first lines give. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { addonIsMissing, buildLibrary, root } from './built-library.js';
import { registryProblem } from './registry.js';

beforeAll(buildLibrary, 300_000);

interface Outcome {
  stdout: string;
  stderr: string;
  status: number | null;
}

async function run(command: string, parameters: string[], input = ''): Promise<Outcome> {
  const environment = { ...process.env, AI_INFERENCE_API_HOST: undefined, MODEL: undefined };
  const child = spawn(command, parameters, { cwd: root, env: environment, shell: process.platform === 'win32' });
  const timer = setTimeout(() => child.kill('SIGKILL'), 280_000);
  const outcome: Outcome = { stdout: '', stderr: '', status: null };
  child.stdout.on('data', (bytes: Buffer) => (outcome.stdout += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (outcome.stderr += bytes.toString()));
  child.stdin.end(input);
  outcome.status = await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return outcome;
}

test('the chatbot remembers the conversation', async () => {
  const outcome = await run(process.execPath, ['examples/chatbot.mjs'], 'I am Ada.\nWho am I?\nAnd you?\n');
  expect(outcome).toEqual({
    stdout:
      'bot: (scripted) You said "I am Ada.", and I remember it.\n' +
      'bot: (scripted) That was message 2. It all began with "I am Ada.".\n' +
      'bot: (scripted) That was message 3. It all began with "I am Ada.".\n',
    stderr: '',
    status: 0,
  });
});

test('the streaming endpoint sends server-sent events', async () => {
  const { stdout, stderr, status } = await run(process.execPath, ['examples/streaming-endpoint.mjs', '--once']);
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  expect(stdout).toContain('200 text/event-stream');
  const events = [...stdout.matchAll(/^data: (.*)$/gm)].map(
    ([, data = '']) => JSON.parse(data) as { response: string },
  );
  expect(events.map(({ response }) => response).join('')).toBe(
    '(scripted) You said "Tell me a story", and I remember it.',
  );
  expect(events.at(-1)).toMatchObject({ done: true });
});

describe.each([
  { type: 'vector(224)', options: [] },
  { type: 'halfvec(224)', options: ['--', '--halfvec'] },
])('semantic search with $type', ({ type, options }) => {
  test('finds the nearest document', async (context) => {
    const missing = addonIsMissing();
    if (missing !== undefined) context.skip(missing);
    const outcome = await run('npm', ['--prefix', 'examples/semantic-search', 'start', ...options]);
    if (outcome.status !== 0) {
      const reason = registryProblem(outcome);
      if (reason !== undefined) context.skip(reason);
    }
    expect(outcome.status, outcome.stdout + outcome.stderr).toBe(0);
    expect(outcome.stdout).toContain(`6 documents as ${type}`);
    expect(outcome.stdout).toMatch(/\n {2}0\.\d{3} {2}The cat sleeps on the warm windowsill all afternoon\.\n/);
  });
});

test('each command of the list of examples is that of a file', () => {
  const list = readFileSync(join(root, 'examples', 'README.md'), 'utf8');
  const listed = [...list.matchAll(/^\| (\S+\.mjs) \|/gm)].map(([, file = '']) => file);
  // Not recursively: npm links this checkout into an example's node_modules.
  const folders = ['.', ...readdirSync(join(root, 'examples'))].filter((name) => !/\.\w+$/.test(name));
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, 'examples', folder))
      .filter((file) => file.endsWith('.mjs'))
      .map((file) => (folder === '.' ? file : `${folder}/${file}`)),
  );
  const standIns = ['scripted-llm-server.mjs'];
  expect([...listed, ...standIns].sort()).toEqual(files.sort());
});
