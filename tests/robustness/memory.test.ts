/** Memory is given back. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { runChild } from './child.js';

test('50 cycles of load, embed and close leave no session behind', async () => {
  const model = inject('fixture');
  const outcome = await runChild('cycles.mjs', [model]);
  expect(outcome, outcome.output).toMatchObject({ code: 0, signal: null });
  const { growth } = JSON.parse(outcome.output) as { growth: number };
  // One leaked session would keep the weights, so 50 would keep 50 times the file; allocator noise is far below that.
  const weights = statSync(join(model, 'onnx', 'model.onnx')).size;
  expect(growth).toBeLessThan(10 * weights);
});
