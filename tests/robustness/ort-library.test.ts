/** ONNX Runtime's library: where it is looked for, what is said when it is not usable, and living beside onnxruntime-node. */
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, test } from 'vitest';
import { binding } from '../../lib/native/binding.js';
import { runChild } from './child.js';

const model = inject('fixture');

async function outcome(library?: string, args: readonly string[] = []): Promise<Record<string, unknown>> {
  const env = library === undefined ? {} : { GTEWAY_ORT_LIBRARY: library };
  const child = await runChild('ort-library.mjs', [model, ...args], { env });
  expect(child, child.output).toMatchObject({ code: 0, signal: null });
  return JSON.parse(child.output) as Record<string, unknown>;
}

describe('GTEWAY_ORT_LIBRARY', () => {
  test('names the library to open', async () => {
    const { ortLibraryPath } = await import('../../lib/native/ort-library.js');
    expect(await outcome(ortLibraryPath())).toEqual({ length: 96 });
  });

  test('that does not exist is an error with its path', async () => {
    const { code, message } = await outcome('/no/such/libonnxruntime.so');
    expect(code).toBe('ERR_RUNTIME_UNAVAILABLE');
    expect(message).toContain('/no/such/libonnxruntime.so');
  });

  test('that is not a library, or not ONNX Runtime, is an error that says so', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gteway-'));
    try {
      const text = join(directory, 'text.so');
      await writeFile(text, 'not a library');
      expect(await outcome(text)).toMatchObject({ code: 'ERR_RUNTIME_UNAVAILABLE' });
      const addon = fileURLToPath(new URL('../../build/Release/gteway.node', import.meta.url));
      const { code, message } = await outcome(addon);
      expect(code).toBe('ERR_RUNTIME_UNAVAILABLE');
      expect(message).toMatch(/is not ONNX Runtime: it does not export OrtGetApiBase/);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('onnxruntime-node', () => {
  test.each(['ours-first', 'theirs-first'])('in the same process, %s: both work', async (order) => {
    expect(await outcome(undefined, [order])).toEqual({ length: 96 });
  });

  test('that is not installed is an error that says how to install it, and not missed by the encoder', async () => {
    // The built library, copied to where no onnxruntime-node can be resolved from.
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const away = await mkdtemp(join(tmpdir(), 'gteway-'));
    try {
      for (const part of ['package.json', 'dist']) await cp(join(root, part), join(away, part), { recursive: true });
      await symlink(join(root, 'build'), join(away, 'build'));
      await cp(join(root, 'node_modules', 'node-gyp-build'), join(away, 'node_modules', 'node-gyp-build'), {
        recursive: true,
      });
      for (const name of ['undici', 'ollama', 'whatwg-fetch', 'eventsource-parser']) {
        await cp(join(root, 'node_modules', name), join(away, 'node_modules', name), { recursive: true });
      }
      await cp(join(root, 'tests', 'robustness', 'children'), join(away, 'tests', 'robustness', 'children'), {
        recursive: true,
      });
      const script = join(away, 'tests', 'robustness', 'children', 'ort-library.mjs');
      const child = await runChild(script, [model]);
      const { code, message } = JSON.parse(child.output) as Record<string, string>;
      expect(code).toBe('ERR_RUNTIME_UNAVAILABLE');
      expect(message).toContain('ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node');
      if (binding().encoderUnavailable('fp32') === null) {
        const encoder = await runChild(script, [model, 'alone', 'encoder']);
        expect(JSON.parse(encoder.output)).toEqual({ length: 96 });
      }
    } finally {
      await rm(away, { recursive: true });
    }
  });
});
