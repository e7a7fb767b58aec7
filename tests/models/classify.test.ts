import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { classifyModel } from '../../lib/models/classify.js';
import { knownModels, nearestKnownModel } from '../../lib/models/registry.js';
import { isRelativeFile, isRepositoryName, isRevision } from '../../lib/models/names.js';
import { temporaryDirectory, writeFiles } from './model-directory.js';

const workingDirectory = process.cwd();
afterEach(() => process.chdir(workingDirectory));

describe('classifyModel', () => {
  test.each([
    ['gte-small', 'Supabase/gte-small'],
    ['GTE-Small', 'Supabase/gte-small'],
    ['bge-base-en-v1.5', 'Xenova/bge-base-en-v1.5'],
    ['all-minilm-l6-v2', 'Xenova/all-MiniLM-L6-v2'],
  ])('%s is a known model', (name, repository) => {
    expect(classifyModel(name)).toMatchObject({ kind: 'known', repository });
  });

  test.each([
    ['Supabase/gte-small', 'Supabase/gte-small', undefined],
    ['BAAI/bge-m3@v1.0', 'BAAI/bge-m3', 'v1.0'],
    ['owner/name@refs/pr/1', 'owner/name', 'refs/pr/1'],
  ])('%s is a hub repository', (name, repository, revision) => {
    const reference = classifyModel(name);
    expect(reference).toMatchObject({ kind: 'hub', repository });
    expect('revision' in reference ? reference.revision : undefined).toBe(revision);
  });

  test('a repository with the weights of a known model has its facts', () => {
    expect(classifyModel('BAAI/bge-small-en-v1.5')).toMatchObject({ kind: 'hub', facts: { pooling: 'cls' } });
    expect(classifyModel('owner/name')).not.toHaveProperty('facts');
  });

  test.each([
    ['./models/gte', resolve('models/gte')],
    ['../gte', resolve('../gte')],
    ['/srv/models/gte', resolve('/srv/models/gte')],
    ['~/models/gte', join(homedir(), 'models/gte')],
    ['.', resolve('.')],
    ['C:\\models\\gte', resolve('C:\\models\\gte')],
    ['..\\gte', resolve('..\\gte')],
  ])('%s is a directory, existing or not', (name, directory) => {
    expect(classifyModel(name)).toEqual({ kind: 'directory', name, directory });
  });

  test.each(['mistral', 'llama3:8b', 'hf.co/owner/name', 'owner/name:tag', 'LLaMA_CPP', 'a--b/c', '.hidden/name'])(
    '%s is a language model',
    (name) => expect(classifyModel(name)).toEqual({ kind: 'llm', name }),
  );

  test('an existing directory with a config.json is one, whatever else its name could mean', () => {
    const root = temporaryDirectory();
    writeFiles(root, { 'owner/name/config.json': '{}', 'mistral/config.json': '{}', 'llama/README.md': '' });
    process.chdir(root);
    expect(classifyModel('owner/name')).toMatchObject({ kind: 'directory', directory: resolve('owner/name') });
    expect(classifyModel('mistral')).toMatchObject({ kind: 'directory' });
    expect(classifyModel('llama')).toMatchObject({ kind: 'llm' });
  });

  test('a known name is the known model even beside a directory of that name', () => {
    const root = temporaryDirectory();
    writeFiles(root, { 'gte-small/config.json': '{}' });
    process.chdir(root);
    expect(classifyModel('gte-small')).toMatchObject({ kind: 'known' });
    expect(classifyModel('./gte-small')).toMatchObject({ kind: 'directory' });
  });

  test('misuse is thrown at once', () => {
    expect(() => classifyModel(7 as unknown as string)).toThrow(TypeError);
    expect(() => classifyModel('')).toThrow(RangeError);
    expect(() => classifyModel('owner/name@../../etc')).toThrow(RangeError);
    expect(() => classifyModel('a\0b')).toThrow(RangeError);
  });
});

describe('names', () => {
  test.each([
    '../evil',
    'owner/..',
    'a/b/c',
    'owner',
    'owner/',
    '/name',
    'own er/name',
    'owner/na\\me',
    '-a/b',
    'a/b.git',
  ])('%s is no repository name', (name) => expect(isRepositoryName(name)).toBe(false));

  test.each(['..', 'a/../b', '/a', 'a//b', 'a/', 'a\\b', 'C:a', '-x', 'a.lock', '.a', 'a.', 'a b', ''])(
    '%j is no revision',
    (name) => expect(isRevision(name)).toBe(false),
  );

  test.each([
    '..',
    '../a',
    'a/../../b',
    '/etc/passwd',
    'a/./b',
    'a//b',
    'C:\\a',
    'C:a',
    '\\\\host\\a',
    'a\\..\\b',
    'a\0',
    '',
  ])('%j is no file inside a directory', (name) => expect(isRelativeFile(name)).toBe(false));

  test('ordinary names pass', () => {
    for (const name of ['Supabase/gte-small', 'a/b', 'onnx-community/e5_x.v2'])
      expect(isRepositoryName(name)).toBe(true);
    for (const name of ['main', 'v1.0', 'refs/pr/12', 'feature/x_y', 'a'.repeat(40)])
      expect(isRevision(name)).toBe(true);
    for (const name of ['config.json', 'onnx/model.onnx_data_1', '1_Pooling/config.json', '..a/b..']) {
      expect(isRelativeFile(name)).toBe(true);
    }
  });
});

describe('known models', () => {
  test('names and repositories are well-formed and unique', () => {
    expect(new Set(knownModels.map(({ name }) => name.toLowerCase())).size).toBe(knownModels.length);
    expect(new Set(knownModels.map(({ repository }) => repository.toLowerCase())).size).toBe(knownModels.length);
    for (const { repository, trainedTokens, maxTokens } of knownModels) {
      expect(isRepositoryName(repository)).toBe(true);
      expect(trainedTokens ?? 0).toBeLessThan(maxTokens);
    }
  });

  test.each([
    ['gte-smal', 'gte-small'],
    ['gte_small', 'gte-small'],
    ['bge-small', 'bge-small-en-v1.5'],
    ['e5-smal-v2', 'e5-small-v2'],
    ['mistral', undefined],
    ['llama3', undefined],
  ])('the one nearest to %s is %s', (typed, expected) => expect(nearestKnownModel(typed)).toBe(expected));
});
