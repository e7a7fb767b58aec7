/** The addon under Deno and Bun, beside Node: it loads, embeds, closes and lets the process end. */
import { beforeAll, describe, expect, test, type TestContext } from 'vitest';
import { join } from 'node:path';
import { addonIsMissing } from '../built-library.js';
import { offlineModels } from './model-cache.js';
import { runScript } from './run-script.js';
import { here, runtimeTools, type RuntimeName, type Tools } from './tools.js';

let tools: Tools | undefined;
let noTools = addonIsMissing();
let environment: Record<string, string>;

beforeAll(async () => {
  if (noTools !== undefined) return;
  const found = await runtimeTools();
  if ('reason' in found) noTools = found.reason;
  else tools = found;
  environment = await offlineModels();
}, 400_000);

async function step(context: TestContext, runtime: RuntimeName, name: string): Promise<unknown> {
  const found = tools ?? context.skip(noTools ?? 'the tools were not prepared');
  const output = await runScript(found.runtime(runtime), [join(here, 'addon-probe.mjs'), name], environment, here);
  return JSON.parse(/^RESULT (.*)$/m.exec(output)?.[1] ?? 'null') as unknown;
}

describe.each(['deno', 'bun'] as const)('%s', (runtime) => {
  test('vectors are those of Node, to the last bit', async (context) => {
    const embedded = await step(context, runtime, 'embed');
    expect(embedded).toMatchObject({ rows: 4, dimensions: 384, truncated: [false, false, false, true], many: 64 });
    expect(embedded).toEqual(await step(context, 'node', 'embed'));
  });

  test('token ids are those of Node', async (context) => {
    const ids = await step(context, runtime, 'tokenize');
    expect(ids).toHaveLength(4);
    expect(ids).toEqual(await step(context, 'node', 'tokenize'));
  });
});

describe.each(['deno', 'bun', 'node'] as const)('%s', (runtime) => {
  test('close() ends what is running, and what comes later', async (context) => {
    const { codes, late } = (await step(context, runtime, 'closeDuringWork')) as { codes: string[]; late: string };
    // A fast machine may have finished everything.
    for (const code of codes) expect(code).toBe('ERR_CLOSED');
    expect(late).toBe('ERR_CLOSED');
  });

  test('embedStream gives the rows of embed, one by one', async (context) => {
    expect(await step(context, runtime, 'stream')).toEqual({ same: true, values: 4 * 384 });
  });

  test('the process ends by itself, with a session that is open', async (context) => {
    expect(await step(context, runtime, 'leaveOpen')).toBe(384);
  });

  test('the process can be ended in the middle of work', async (context) => {
    expect(await step(context, runtime, 'exitDuringWork')).toBe('leaving');
  });

  test('failures are errors with codes', async (context) => {
    expect(await step(context, runtime, 'errors')).toEqual([
      'ERR_MODEL_NOT_FOUND',
      'TypeError',
      'TypeError',
      'ERR_ABORTED',
    ]);
  });
});
