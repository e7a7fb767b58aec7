import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { resolveModel, resolveTokenizer } from '../../lib/models/resolve.js';
import { bertConfig, modelDirectory, modelFiles } from './model-directory.js';

const sharedModel = join(import.meta.dirname, '..', '..', '..', 'shared', 'models', 'gte-small');

describe('a model directory', () => {
  test('gives its files, configuration and defaults', async () => {
    const directory = modelDirectory();
    expect(await resolveModel(directory)).toMatchObject({
      name: directory,
      source: 'directory',
      directory,
      configPath: join(directory, 'config.json'),
      tokenizerPath: join(directory, 'tokenizer.json'),
      tokenizerConfigPath: join(directory, 'tokenizer_config.json'),
      weightsPath: join(directory, 'onnx', 'model.onnx'),
      dtype: 'fp32',
      config: { modelType: 'bert', hiddenSize: 384, maxTokens: 512, vocabSize: 30522 },
      pooling: 'mean',
      poolingFrom: 'default',
    });
  });

  test.each([
    ['auto', 'onnx/model.onnx', 'fp32'],
    ['fp32', 'onnx/model.onnx', 'fp32'],
    ['fp16', 'onnx/model_fp16.onnx', 'fp16'],
    ['bf16', 'onnx/model.onnx', 'bf16'],
    ['int8', 'onnx/model_quantized.onnx', 'int8'],
  ] as const)('dtype %s takes %s', async (dtype, file, resolved) => {
    const directory = modelDirectory();
    const model = await resolveModel(directory, { dtype });
    expect([model.weightsPath, model.dtype]).toEqual([join(directory, file), resolved]);
  });

  test('ONNX files may lie beside config.json, and int8 may be called so', async () => {
    const directory = modelDirectory({
      'config.json': JSON.stringify(bertConfig),
      'tokenizer.json': '{}',
      'model.onnx': '',
      'model_int8.onnx': '',
    });
    expect((await resolveModel(directory)).weightsPath).toBe(join(directory, 'model.onnx'));
    expect((await resolveModel(directory, { dtype: 'int8' })).weightsPath).toBe(join(directory, 'model_int8.onnx'));
    expect(await resolveModel(directory)).not.toHaveProperty('tokenizerConfigPath');
  });

  test('modelFile chooses the file, and its name the dtype', async () => {
    const directory = modelDirectory({ ...modelFiles, 'onnx/model_opset17.onnx': '' });
    const byName = await resolveModel(directory, { modelFile: 'onnx/model_opset17.onnx' });
    expect([byName.weightsPath, byName.dtype]).toEqual([join(directory, 'onnx/model_opset17.onnx'), 'fp32']);
    expect((await resolveModel(directory, { modelFile: 'onnx/model_fp16.onnx' })).dtype).toBe('fp16');
    expect((await resolveModel(directory, { modelFile: 'onnx/model_quantized.onnx' })).dtype).toBe('int8');
  });

  test('a missing ONNX file is named, with those that are there', async () => {
    const directory = modelDirectory({
      'config.json': JSON.stringify(bertConfig),
      'tokenizer.json': '{}',
      'onnx/model_opset17.onnx': '',
    });
    await expect(resolveModel(directory)).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: expect.stringMatching(/no onnx\/model\.onnx.*It has: onnx\/model_opset17\.onnx.*modelFile/s) as string,
      details: { available: ['onnx/model_opset17.onnx'] },
    });
    await expect(resolveModel(directory, { modelFile: 'onnx/other.onnx' })).rejects.toThrow('no onnx/other.onnx');
  });

  test('a directory that does not exist, or lacks its basic files, is said so', async () => {
    await expect(resolveModel('./no/such/place')).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' });
    const directory = modelDirectory({ 'onnx/model.onnx': '', 'README.md': '' });
    await expect(resolveModel(directory)).rejects.toThrow(
      /has no config\.json and no tokenizer\.json.*It has: README\.md, onnx\/model\.onnx/s,
    );
  });

  test('the tokenizer needs no weights', async () => {
    const directory = modelDirectory({ 'config.json': JSON.stringify(bertConfig), 'tokenizer.json': '{}' });
    const tokenizer = await resolveTokenizer(directory);
    expect(tokenizer.tokenizerPath).toBe(join(directory, 'tokenizer.json'));
    expect(tokenizer.config.maxTokens).toBe(512);
  });

  test('modelFile cannot leave the directory', async () => {
    const directory = modelDirectory();
    for (const modelFile of ['../model.onnx', '/etc/model.onnx', 'C:\\model.onnx', 'onnx/../../model.onnx', 'passwd']) {
      await expect(resolveModel(directory, { modelFile })).rejects.toThrow(RangeError);
    }
  });

  test('malformed options are misuse', async () => {
    const directory = modelDirectory();
    await expect(resolveModel(directory, { dtype: 'q4' as 'int8' })).rejects.toThrow(RangeError);
    await expect(resolveModel(directory, { modelFile: 1 as unknown as string })).rejects.toThrow(TypeError);
    await expect(resolveModel(directory, { revision: 'main' })).rejects.toThrow(RangeError);
  });

  test('gte-small’s own configuration reads as it should', async (context) => {
    if (!existsSync(sharedModel)) return context.skip('the shared data (../shared) is not here');
    const { config } = await resolveTokenizer(sharedModel);
    expect(config).toMatchObject({ modelType: 'bert', hiddenSize: 384, maxTokens: 512 });
    expect(config.raw).toEqual(JSON.parse(readFileSync(join(sharedModel, 'config.json'), 'utf8')));
  });
});

describe('config.json', () => {
  const resolveConfig = (config: unknown) =>
    resolveTokenizer(
      modelDirectory({
        'config.json': typeof config === 'string' ? config : JSON.stringify(config),
        'tokenizer.json': '{}',
      }),
    );

  test.each([
    ['{', 'not valid JSON'],
    ['[]', 'expected a JSON object'],
    [{ hidden_size: 1, max_position_embeddings: 1 }, '"model_type" is missing'],
    [{ ...bertConfig, hidden_size: undefined }, '"hidden_size" is missing'],
    [{ ...bertConfig, hidden_size: '384' }, '"hidden_size" is "384"'],
    [{ ...bertConfig, max_position_embeddings: 0 }, '"max_position_embeddings" is 0'],
  ])('%j is refused, naming what is wrong', async (config, message) => {
    await expect(resolveConfig(config)).rejects.toMatchObject({
      code: 'ERR_MODEL_INVALID',
      message: expect.stringContaining(message) as string,
    });
  });

  test('families of models with other field names are understood', async () => {
    const distilbert = { model_type: 'distilbert', dim: 768, max_position_embeddings: 512 };
    expect((await resolveConfig(distilbert)).config).toMatchObject({ hiddenSize: 768, maxTokens: 512 });
    // RoBERTa starts counting after its padding index, so two of its 514 positions are unused.
    const roberta = { ...bertConfig, model_type: 'roberta', max_position_embeddings: 514, pad_token_id: 1 };
    expect((await resolveConfig(roberta)).config).toMatchObject({ maxTokens: 512, maxPositionEmbeddings: 514 });
  });
});

describe('pooling stated by the model', () => {
  const resolvePooling = (files: Record<string, unknown>) =>
    resolveModel(
      modelDirectory({
        ...modelFiles,
        ...Object.fromEntries(Object.entries(files).map(([name, content]) => [name, JSON.stringify(content)])),
      }),
    );
  const module = (type: string) => ({ idx: 0, name: '0', path: '', type: `sentence_transformers.models.${type}` });

  test.each([
    ['cls', { pooling_mode_cls_token: true, pooling_mode_mean_tokens: false }],
    ['mean', { pooling_mode_cls_token: false, pooling_mode_mean_tokens: true }],
    ['cls', { pooling_mode: 'cls' }],
  ])('%s', async (pooling, config) => {
    const modules = ['Transformer', 'Pooling', 'Normalize'].map(module);
    expect(await resolvePooling({ 'modules.json': modules, '1_Pooling/config.json': config })).toMatchObject({
      pooling,
      poolingFrom: 'file',
    });
  });

  test('a pooling or layer that gteway lacks is refused, not ignored', async () => {
    const lastToken = { 'modules.json': [], '1_Pooling/config.json': { pooling_mode_lasttoken: true } };
    await expect(resolvePooling(lastToken)).rejects.toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      message: expect.stringContaining('lasttoken') as string,
    });
    await expect(resolvePooling({ 'modules.json': [module('Transformer'), module('Dense')] })).rejects.toThrow(/Dense/);
  });
});
