/** The log is silent until somebody listens, and then carries ONNX Runtime's words. */
import { spawnSync } from 'node:child_process';
import { appendFile, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { type LogEntry, onLog, Session } from '../../lib/index.js';

/** Protobuf's two wire formats that are needed here: a length-delimited field, and a small number. */
const field = (number: number, bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes]);
const varint = (number: number, value: number): Buffer => Buffer.from([number * 8, value]);

test('a listener hears what ONNX Runtime says, and nothing after it is taken away', async () => {
  const copy = await mkdtemp(join(tmpdir(), 'gteway-'));
  try {
    await cp(inject('fixture'), copy, { recursive: true });
    // Appended to a protobuf message, fields merge into it: here an initializer that no node uses.
    const spare = field(
      5,
      Buffer.concat([varint(1, 1), varint(2, 1), field(8, Buffer.from('spare')), field(9, Buffer.alloc(4))]),
    );
    await appendFile(join(copy, 'onnx', 'model.onnx'), field(7, spare));
    const entries: LogEntry[] = [];
    onLog((entry) => entries.push(entry));
    await (await Session.load(copy, { engine: 'ort' })).close();
    await new Promise((resolve) => setImmediate(resolve));
    const [entry] = entries;
    expect(entry?.level).toBe('warning');
    expect(entry?.message).toContain('spare');
    onLog(undefined);
    const heard = entries.length;
    await (await Session.load(copy, { engine: 'ort' })).close();
    await new Promise((resolve) => setImmediate(resolve));
    expect(entries).toHaveLength(heard);
  } finally {
    await rm(copy, { recursive: true });
  }
});

test('nothing is printed by loading, failing and embedding', () => {
  const script = `
    import { Session } from './dist/index.js';
    const session = await Session.load(process.argv[1], { dtype: 'fp16' });
    await session.run('x');
    await session.close();
    await Session.load('./no-such-model').catch(() => undefined);`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', script, inject('fixture')],
    {
      encoding: 'utf8',
    },
  );
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
});

test('a listener must be a function', () => {
  expect(() => onLog('loud' as unknown as undefined)).toThrow(TypeError);
});
