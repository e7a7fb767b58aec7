/**
 * The README, taken at its word: every TypeScript block is compiled and run, every command is run, and what is shown
 * behind them is what came out. The fixture model takes the place of gte-small, a scripted server that of a language model.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { errorCodes } from '../lib/index.js';
import { honouredVariables } from '../lib/cli/diagnosis.js';
import { embeddingSessionOptionNames } from '../lib/engines/session-options.js';
import { embedOptionNames } from '../lib/embedding/embed-options.js';
import { llmSessionOptionNames, runOptionNames } from '../lib/llm/options.js';
import { knownModels } from '../lib/models/registry.js';
import { buildLibrary, root } from './built-library.js';
import { cliEnvironment, main, runCli } from './cli/run-cli.js';

const readme = readFileSync(join(root, 'README.md'), 'utf8');

interface Example {
  readonly name: string;
  readonly language: string;
  readonly code: string;
  /** The text block that follows. */
  readonly output: string | undefined;
}

function examples(): Example[] {
  const found: Example[] = [];
  const blocks = [...readme.matchAll(/^```(\w+)\n(.*?)^```$(\s*^```text\n(.*?)^```$)?/gms)];
  for (const { 1: language = '', 2: code = '', 4: output, index } of blocks) {
    const line = readme.slice(0, index).split('\n').length;
    found.push({ name: `line ${line}`, language, code, output });
  }
  return found;
}

let directory: string;

beforeAll(async () => {
  await buildLibrary();
  directory = mkdtempSync(join(tmpdir(), 'gteway-readme-'));
  mkdirSync(join(directory, 'node_modules'));
  symlinkSync(root, join(directory, 'node_modules', 'gteway'), 'dir');
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  mkdirSync(join(directory, 'bin'));
  // `npx gteway …` would ask the registry for a package of that name.
  writeFileSync(join(directory, 'bin', 'npx'), `#!/bin/sh\nshift\nexec '${process.execPath}' '${main}' "$@"\n`);
  chmodSync(join(directory, 'bin', 'npx'), 0o755);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function run(command: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  const environment = cliEnvironment({ ...env, NO_COLOR: '1' });
  environment.PATH = join(directory, 'bin') + delimiter + (environment.PATH ?? '');
  const child = spawn(command, args, { cwd: directory, env: environment });
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
  const all = examples();
  const programs = all.filter(({ language }) => language === 'ts');

  test('they are found, and each is of a kind that is run', () => {
    expect(programs.length).toBeGreaterThan(8);
    expect(new Set(all.map(({ language }) => language))).toEqual(new Set(['ts', 'sh']));
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

  for (const { name, code, output } of programs) {
    test(`${name}: ${code.split('\n').find((line) => line.includes(' = ')) ?? ''}`, async () => {
      const offline = code.replaceAll("'gte-small'", JSON.stringify(inject('fixture')));
      const { outputText } = ts.transpileModule(offline, {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
      });
      const file = join(directory, 'example.mjs');
      writeFileSync(file, outputText);
      const server = code.includes("'mistral'") ? await scriptedServer() : undefined;
      try {
        expectOutput(
          await run(process.execPath, [file], server && { AI_INFERENCE_API_HOST: server.url }),
          output ?? '',
        );
      } finally {
        await server?.close();
      }
    });
  }

  for (const { name, language, code, output } of all) {
    // What installs packages changes the machine; that its scripts exist is checked below.
    if (language !== 'sh' || /^(?:\w+=\w+ )?npm /m.test(code)) continue;
    test(`${name}: ${code.split('\n')[0] ?? ''}`, async (context) => {
      if (process.platform === 'win32') context.skip('the commands are for a POSIX shell');
      expectOutput(await run('sh', ['-ec', code]), output ?? '');
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
  const named = (name: string): RegExp => new RegExp(`[\`\\s,]${name.replace(/[.*+?^$()[\]{}|]/g, '\\$&')}[\`\\s,:]`);

  test('names every error code, model, option and variable there is, and no error code that is not', () => {
    const names = [
      ...errorCodes,
      ...knownModels.flatMap(({ name, repository }) => [name, repository]),
      ...embeddingSessionOptionNames,
      ...embedOptionNames,
      ...llmSessionOptionNames,
      ...runOptionNames,
      ...honouredVariables.filter((name) => name === name.toUpperCase()),
    ];
    expect(names.filter((name) => !named(name).test(readme))).toEqual([]);
    const codes = readme.match(/\bERR_[A-Z_]+\b/g) ?? [];
    expect(codes.filter((code) => !(errorCodes as readonly string[]).includes(code))).toEqual([]);
  });

  test('names every command and every option of the command line, and none that is not', async () => {
    const help = (await runCli(['--help'])).stdout;
    const commands = [...help.matchAll(/^ {2}(\w+) \[/gm)]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'help');
    const options = new Set<string>();
    for (const command of commands) {
      const { stdout } = await runCli([command, '--help']);
      for (const [, option = ''] of stdout.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)) options.add(option);
    }
    options.delete('--help');
    const section = readme.slice(readme.indexOf('## Command line'), readme.indexOf('## Models'));
    const rows = [...section.matchAll(/^\|.*$/gm)].join('\n');
    expect(commands.filter((command) => !rows.includes(`| \`${command}`))).toEqual([]);
    const mentioned = new Set(rows.match(/--[a-z][\w-]*/g));
    expect(mentioned).toEqual(options);
  });

  test('the npm scripts and files it names are there', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const used = [...readme.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name);
    expect([...used, 'test'].filter((name) => scripts[name] === undefined)).toEqual([]);
    for (const [, path = ''] of readme.matchAll(/\]\((?!#|http)([^)]+)\)/g)) {
      expect(() => readFileSync(join(root, path)), path).not.toThrow();
    }
    const anchors = [...readme.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = '']) => anchor);
    const headings = [...readme.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
      title.toLowerCase().replaceAll(' ', '-'),
    );
    expect(anchors.filter((anchor) => !headings.includes(anchor))).toEqual([]);
  });

  test('npm run demo is the command line’s demo, as built by npm ci', async () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(scripts.demo).toBe('node dist/cli/main.js demo');
    const { code, stdout } = await runCli(['demo']);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^speed .* tokens\/s$/m)]);
  });
});
