/**
 * README.md and docs/, taken at their word: every TypeScript block is compiled and run, every command is run, and what is
 * shown behind them is what came out. The fixture model takes the place of gte-small, a scripted server that of a language
 * model. Names, files and links are held to what there is.
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, posix } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { errorCodes } from '../lib/index.js';
import { honouredVariables } from '../lib/cli/diagnosis.js';
import { embeddingSessionOptionNames } from '../lib/engines/session-options.js';
import { embedOptionNames } from '../lib/embedding/embed-options.js';
import { llmSessionOptionNames, runOptionNames } from '../lib/llm/options.js';
import { knownModels } from '../lib/models/registry.js';
import { knownRerankers } from '../lib/models/rerankers.js';
import { rerankOptionNames } from '../lib/reranking/rerank-options.js';
import { pages as followed, stepsOf } from '../scripts/hosts/pages.mjs';
import { buildLibrary, root } from './built-library.js';
import { cliEnvironment, main, runCli } from './cli/run-cli.js';

interface Page {
  /** Relative to the repository's root. */
  readonly path: string;
  readonly text: string;
}

const page = (path: string): Page => ({ path, text: readFileSync(join(root, path), 'utf8') });

/** The pages for users, whose examples are run. */
const pages: readonly Page[] = [
  page('README.md'),
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => page(`docs/${name}`)),
];

/** The pages for those who work on gteway. */
const workshop: readonly Page[] = [
  ...['ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'].map(page),
  ...[
    'bench/README.md',
    'deploy/README.md',
    'examples/README.md',
    'native/src/kernels/README.md',
    'native/src/tokenizer/README.md',
  ].map(page),
];

function textOf(path: string): string {
  const found = pages.find((candidate) => candidate.path === path);
  if (found === undefined) throw new Error(`there is no ${path}`);
  return found.text;
}

interface Example {
  readonly name: string;
  /** Of the page it stands on; those of one page share a working directory. */
  readonly path: string;
  readonly language: string;
  readonly code: string;
  /** The text block that follows. */
  readonly output: string | undefined;
}

function examplesOf({ path, text }: Page): Example[] {
  const found: Example[] = [];
  const blocks = [...text.matchAll(/^```(\w+)\n(.*?)^```$(\s*^```text\n(.*?)^```$)?/gms)];
  for (const { 1: language = '', 2: code = '', 4: output, index } of blocks) {
    const line = text.slice(0, index).split('\n').length;
    found.push({ name: `${path}:${line}`, path, language, code, output });
  }
  return found;
}

let directory: string;

beforeAll(async () => {
  await buildLibrary();
  directory = mkdtempSync(join(tmpdir(), 'gteway-docs-'));
  mkdirSync(join(directory, 'node_modules'));
  symlinkSync(root, join(directory, 'node_modules', 'gteway'), 'dir');
  // What the pages' readers have installed themselves.
  for (const name of ['ai', '@langchain']) {
    symlinkSync(join(root, 'node_modules', name), join(directory, 'node_modules', name), 'dir');
  }
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  mkdirSync(join(directory, 'bin'));
  // `npx gteway …` would ask the registry for a package of that name.
  writeFileSync(join(directory, 'bin', 'npx'), `#!/bin/sh\nshift\nexec '${process.execPath}' '${main}' "$@"\n`);
  chmodSync(join(directory, 'bin', 'npx'), 0o755);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Where the examples of a page run. */
function placeOf({ path }: Example): string {
  const place = join(directory, path.replaceAll('/', '-'));
  mkdirSync(place, { recursive: true });
  return place;
}

async function run(cwd: string, command: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  const environment = cliEnvironment({ ...env, NO_COLOR: '1' });
  environment.PATH = join(directory, 'bin') + delimiter + (environment.PATH ?? '');
  const child = spawn(command, args, { cwd, env: environment });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
  child.stdin.end();
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect(code, stderr).toBe(0);
  return stdout;
}

const numbers = /-?\d+(?:\.\d+)?(?:e-?\d+)?/g;

/** Words must be the same, and numbers as good as: other processors compute in other precisions. */
function expectOutput(actual: string, expected: string): void {
  expect(actual.replace(numbers, '#')).toBe(expected.replace(numbers, '#'));
  const wanted = expected.match(numbers) ?? [];
  for (const [i, number] of (actual.match(numbers) ?? []).entries()) {
    expect(Number(number), actual).toBeCloseTo(Number(wanted[i]), 2);
  }
}

describe('examples', () => {
  const all = pages.filter(({ path }) => !followed.some((page) => page.path === path)).flatMap(examplesOf);
  const programs = all.filter(({ language }) => language === 'ts');

  test('they are found, and each is of a kind that is run', () => {
    expect(programs.length).toBeGreaterThan(8);
    const runnable = ['ts', 'sh'];
    expect(all.filter(({ language }) => !runnable.includes(language)).map(({ name }) => name)).toEqual([]);
    // Of the pages that scripts/try-hosts.mjs follows, no block is left out.
    for (const { path } of followed) {
      const blocks = textOf(path).match(/^```(?!text)\w+$/gm) ?? [];
      expect(blocks.length, path).toBeGreaterThan(1);
      expect(stepsOf(textOf(path)), path).toHaveLength(blocks.length);
    }
    for (const { name, output } of programs) expect(output, `${name} shows no output`).toBeDefined();
  });

  test('they compile', () => {
    const files = programs.map(({ code }, i) => {
      const file = join(directory, `example-${i}.ts`);
      writeFileSync(file, code);
      return file;
    });
    const program = ts.createProgram(files, {
      strict: true,
      noEmit: true,
      // The types of the ollama package name DOM types that Node has no globals for.
      skipLibCheck: true,
      target: ts.ScriptTarget.ES2023,
      lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: ['node'],
      typeRoots: [join(root, 'node_modules', '@types')],
    });
    const problems = ts.getPreEmitDiagnostics(program);
    expect(problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
  });

  for (const example of programs) {
    const { name, code, output = '' } = example;
    test(`${name}: ${code.split('\n').find((line) => line.includes(' = ')) ?? ''}`, async () => {
      const offline = code
        .replaceAll("'gte-small'", JSON.stringify(inject('fixture')))
        .replaceAll("'ms-marco-MiniLM-L6-v2'", JSON.stringify(inject('reranker')));
      const { outputText } = ts.transpileModule(offline, {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
      });
      const file = join(placeOf(example), 'example.mjs');
      writeFileSync(file, outputText);
      const server = code.includes("'mistral'") ? await scriptedServer() : undefined;
      const env = server === undefined ? {} : { AI_INFERENCE_API_HOST: server.url };
      try {
        expectOutput(await run(placeOf(example), process.execPath, [file], env), output);
      } finally {
        await server?.close();
      }
    });
  }

  for (const example of all) {
    const { name, language, code, output = '' } = example;
    // What installs packages changes the machine; that its scripts exist is checked below.
    if (language !== 'sh' || /^(?:\w+=\w+ )?npm /m.test(code)) continue;
    test(`${name}: ${code.split('\n')[0] ?? ''}`, async (context) => {
      if (process.platform === 'win32') context.skip('the commands are for a POSIX shell');
      expectOutput(await run(placeOf(example), 'sh', ['-ec', code]), output);
    });
  }
});

interface ScriptedServer {
  url: string;
  close(): Promise<void>;
}

async function scriptedServer(): Promise<ScriptedServer> {
  const address = new URL('../examples/scripted-llm-server.mjs', import.meta.url).href;
  const module = (await import(address)) as {
    startScriptedLlmServer(): Promise<ScriptedServer>;
  };
  return module.startScriptedLlmServer();
}

describe('reference', () => {
  /** The names in the first cells of a page's tables, where a reader looks for them. */
  function namesIn(path: string): Set<string> {
    const cells = [...textOf(path).matchAll(/^\| ([^|]*) \|/gm)].map(([, cell = '']) => cell);
    return new Set(cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)));
  }

  const tables: Record<string, readonly string[]> = {
    'docs/errors.md': errorCodes,
    'docs/models.md': knownModels.map(({ name }) => name),
    'docs/sessions.md': [...embeddingSessionOptionNames, ...embedOptionNames],
    'docs/reranking.md': [...rerankOptionNames, ...knownRerankers.map(({ name }) => name)],
    'docs/language-models.md': [...llmSessionOptionNames, ...runOptionNames],
    'docs/environment.md': honouredVariables.filter((name) => name === name.toUpperCase()),
  };

  test.each(Object.entries(tables))('%s has a row for everything of its kind', (path, names) => {
    const rows = namesIn(path);
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter((name) => !rows.has(name))).toEqual([]);
  });

  test('models are named with the repository they come from', () => {
    const rows = textOf('docs/models.md');
    expect(
      knownModels.filter(
        (model) => !rows.includes(`| \`${model.name}\` | ${model.repository} | ${model.dimensions} |`),
      ),
    ).toEqual([]);
  });

  test('no page names an error code that is not', () => {
    const codes = [...pages, ...workshop].flatMap(({ text }) => text.match(/\bERR_[A-Z_]+\b/g) ?? []);
    expect(codes.filter((code) => !(errorCodes as readonly string[]).includes(code))).toEqual([]);
  });

  test('every command and every option of the command line is named, and none that is not', async () => {
    const help = (await runCli(['--help'])).stdout;
    const commands = [...help.matchAll(/^ {2}(\w+) \[/gm)]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'help');
    const options = new Set<string>();
    const nested = [...(await runCli(['sync', '--help'])).stdout.matchAll(/^ {2}(\w+) \[/gm)]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'help');
    expect(nested.length).toBeGreaterThan(3);
    for (const command of [...commands, ...nested.map((name) => `sync ${name}`)]) {
      const { stdout } = await runCli([...command.split(' '), '--help']);
      for (const [, option = ''] of stdout.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)) options.add(option);
    }
    options.delete('--help');
    // The tables of commands and options, on whichever page they stand.
    const tables = pages
      .flatMap(({ text }) => text.match(/^\| (?:command|option) \|.*\n(?:\|.*\n)+/gm) ?? [])
      .join('\n');
    expect(commands.filter((command) => !tables.includes(`| \`${command}`))).toEqual([]);
    expect(new Set(tables.match(/--[a-z][\w-]*/g))).toEqual(options);
  });

  test('npm run demo is the command line’s demo, as built by npm ci', async () => {
    expect(npmScripts().demo).toBe('node dist/cli/main.js demo');
    const { code, stdout } = await runCli(['demo']);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^speed .* tokens\/s$/m)]);
  });
});

function npmScripts(): Record<string, string> {
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }).scripts;
}

/** A heading's anchor, as GitHub makes it: no code, no punctuation, words joined by hyphens. */
function anchorOf(heading: string): string {
  const words = heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '');
  return words.replaceAll(' ', '-');
}

const withoutCode = (text: string): string => text.replaceAll(/^```.*?^```$/gms, '');

function anchorsOf(text: string): Set<string> {
  return new Set([...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading)));
}

describe('pages', () => {
  test('the README is a welcome of at most 200 lines', () => {
    expect(textOf('README.md').split('\n').length).toBeLessThanOrEqual(200);
  });

  test('every page of docs/ is in its index', () => {
    const index = textOf('docs/README.md');
    const missing = pages.filter(({ path }) => path.startsWith('docs/') && path !== 'docs/README.md');
    expect(missing.map(({ path }) => posix.basename(path)).filter((name) => !index.includes(`](${name})`))).toEqual([]);
  });

  test.each([...pages, ...workshop])('$path: links lead to files and headings that are there', ({ path, text }) => {
    const wrong = [...withoutCode(text).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)]
      .filter(([, target = '', anchor]) => {
        const file = target === '' ? path : posix.join(posix.dirname(path), target);
        if (file.startsWith('..') || !existsSync(join(root, file))) return true;
        return anchor !== undefined && !anchorsOf(readFileSync(join(root, file), 'utf8')).has(anchor);
      })
      .map(([link]) => link);
    expect(wrong).toEqual([]);
  });

  test('npm scripts that are named are there', () => {
    const used = [...pages, ...workshop].flatMap(({ text }) =>
      [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name),
    );
    const scripts = npmScripts();
    expect(new Set(used).size).toBeGreaterThan(3);
    expect([...used, 'test'].filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  /** All files and folders of the repository's own, relative to its root. */
  const tree = ((): string[] => {
    const others = new Set(['node_modules', '.git', 'build', 'dist', '.cache', 'prebuilds']);
    const walk = (folder: string): string[] =>
      readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
        if (others.has(entry.name)) return [];
        const path = posix.join(folder, entry.name);
        return entry.isDirectory() ? [`${path}/`, ...walk(path)] : [path];
      });
    return walk('.');
  })();

  // As a page writes them: from the root, or from the folder that the sentence is about.
  test.each([...pages, ...workshop])('$path: source files that are named are there', ({ path, text }) => {
    const names = [...withoutCode(text).matchAll(/`([\w./-]+\.(?:ts|cpp|hpp|mjs|sh|py))`/g)].map(
      ([, name = '']) => name,
    );
    const placeholders = /^(?:.*\/)?x(?:_test)?\.[ch]pp$/;
    const made = stepsOf(text).flatMap((step) => ('file' in step ? [step.file] : []));
    const missing = names.filter((name) => {
      if (placeholders.test(name) || made.includes(name)) return false;
      const from = posix.join(dirname(path), name);
      return !tree.some((file) => file === name || file === from || file.endsWith(`/${name}`));
    });
    expect(missing).toEqual([]);
  });
});
