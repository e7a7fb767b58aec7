/** Keeps the layers of ARCHITECTURE.md apart: reads every native source's includes, and what lib/ imports. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const nativeRoot = join(root, 'native', 'src');

interface Source {
  /** Relative to native/src, with forward slashes. */
  path: string;
  /** First folder of the path. */
  layer: string;
  /** Without comments and string literals. */
  code: string;
  /** "…" includes. */
  own: string[];
  /** <…> includes. */
  system: string[];
}

function filesIn(folder: string, extensions: RegExp): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => extensions.test(path));
}

function readSource(path: string): Source {
  const text = readFileSync(join(nativeRoot, path), 'utf8');
  const includes = (pattern: RegExp): string[] => [...text.matchAll(pattern)].map((match) => match[1] ?? '');
  return {
    path,
    layer: path.split('/', 1)[0] ?? '',
    code: text.replaceAll(/"(?:\\.|[^"\\\n])*"|\/\/[^\n]*|\/\*[^]*?\*\//g, ' '),
    own: includes(/^\s*#\s*include\s+"([^"]+)"/gm),
    system: includes(/^\s*#\s*include\s+<([^>]+)>/gm),
  };
}

const sources = filesIn(nativeRoot, /\.(cpp|hpp|cu|cuh)$/).map(readSource);

/** The layers each layer may include, besides itself: DESIGN's arrows, transitively. */
const mayInclude: Record<string, readonly string[]> = {
  base: [],
  cpu: ['base'],
  kernels: ['cpu', 'base'],
  tokenizer: ['kernels', 'cpu', 'base'],
  model: ['base'],
  search: ['kernels', 'cpu', 'base'],
  engine: ['kernels', 'model', 'cpu', 'base'],
  scheduler: ['engine', 'tokenizer', 'kernels', 'model', 'cpu', 'base'],
  addon: ['scheduler', 'search', 'engine', 'tokenizer', 'kernels', 'model', 'cpu', 'base'],
};

/** The header a kernel folder's intrinsics come from; scalar has none. */
const intrinsics: Record<string, string | undefined> = {
  scalar: undefined,
  avx2: 'immintrin.h',
  avxvnni: 'immintrin.h',
  avx512: 'immintrin.h',
  avx512vnni: 'immintrin.h',
  avx512bf16: 'immintrin.h',
  amx: 'immintrin.h',
  neon: 'arm_neon.h',
  neondot: 'arm_neon.h',
  neonbf16: 'arm_neon.h',
};
const isIntrinsicsHeader = /^(arm_\w+|\w*mmintrin|immintrin|x86intrin|intrin|cpuid)\.h$/;

/** Sets of instructions that contain another one may share its folder's headers, which are internal to each file. */
const contains: Record<string, readonly string[]> = {
  avxvnni: ['avx2'],
  avx512vnni: ['avx512'],
  avx512bf16: ['avx512'],
  amx: ['avx512', 'avx512bf16'],
  neondot: ['neon'],
  neonbf16: ['neon', 'neondot'],
};

/** Templates over an instruction set's vectors: code of whoever includes them, which only its files may. */
const generic = 'kernels/generic/';
/** Plain types, constants and address arithmetic, which any file may include. */
const contracts = ['kernels/contract.hpp', 'kernels/encoder_contract.hpp'];
const constants = ['kernels/encoder_polynomials.hpp', 'kernels/encoder_layout.hpp'];

function isaOf(path: string): string | undefined {
  return path.startsWith(generic) ? undefined : /^kernels\/(\w+)\//.exec(path)?.[1];
}

/** What breaks a rule, as "file: what", so that a failure reads as the list to fix. */
function violations(check: (source: Source) => string[]): string[] {
  return sources.flatMap((source) => check(source).map((what) => `${source.path}: ${what}`));
}

describe('native sources', () => {
  test('are found, and every layer is known', () => {
    expect(sources.length).toBeGreaterThan(10);
    expect([...new Set(sources.map(({ layer }) => layer))].filter((layer) => !(layer in mayInclude))).toEqual([]);
  });

  test('include each other by their path from native/src', () => {
    expect(violations(({ own }) => own.filter((path) => !existsSync(join(nativeRoot, path))))).toEqual([]);
  });

  test('depend in one direction: addon → scheduler → engine → kernels → cpu → base', () => {
    const wrong = violations(({ layer, own }) =>
      own.filter((path) => {
        const other = path.split('/', 1)[0] ?? '';
        return other !== layer && !mayInclude[layer]?.includes(other);
      }),
    );
    expect(wrong).toEqual([]);
  });

  test('use N-API in addon/ only', () => {
    const isNodeHeader = /^(napi.*|node_api.*|js_native_api.*|node|v8.*|uv)\.h$/;
    const wrong = violations(({ layer, own, system }) =>
      layer === 'addon' ? [] : [...own, ...system].filter((path) => isNodeHeader.test(path)),
    );
    expect(wrong).toEqual([]);
  });

  test('see the declarations of ONNX Runtime in engine/ort/ only', () => {
    const declaring = sources.filter(({ code }) => /\bstruct\s+OrtApi\s*\{/.test(code)).map(({ path }) => path);
    const wrong = violations(({ path, own, system }) =>
      path.startsWith('engine/ort/')
        ? []
        : [...own, ...system].filter((header) => declaring.includes(header) || header.includes('onnxruntime')),
    );
    expect(declaring.filter((path) => !path.startsWith('engine/ort/'))).toEqual([]);
    expect(wrong).toEqual([]);
  });

  test('use intrinsics in kernels/<isa>/ only, each from its own header', () => {
    const wrong = violations(({ path, layer, own, system }) => {
      if (layer === 'cpu') return [];
      const isa = isaOf(path);
      const allowed = isa === undefined ? undefined : intrinsics[isa];
      return [...own, ...system].filter((header) => isIntrinsicsHeader.test(header) && header !== allowed);
    });
    expect(wrong).toEqual([]);
  });

  test('in kernels/<isa>/ include nothing that could become code there', () => {
    const harmless = ['cmath', 'cstddef', 'cstdint', ...contracts, ...constants];
    const wrong = violations(({ path, own, system }) => {
      const isa = isaOf(path);
      if (isa === undefined) return [];
      if (!(isa in intrinsics)) return [`unknown instruction set ${isa}`];
      const allowed = [...harmless, intrinsics[isa]];
      const folders = [isa, ...(contains[isa] ?? [])];
      return [...own, ...system].filter(
        (header) =>
          !allowed.includes(header) &&
          !(header.startsWith(generic) && isa !== 'scalar') &&
          !folders.some((folder) => header.startsWith(`kernels/${folder}/`)),
      );
    });
    expect(wrong).toEqual([]);
    for (const contract of sources.filter(({ path }) => contracts.includes(path)))
      expect([contract.path, contract.own, contract.system]).toEqual([contract.path, [], ['cstddef', 'cstdint']]);
  });

  test('in kernels/generic/ know no instruction set, and are included from kernels/<isa>/ only', () => {
    const templates = sources.filter(({ path }) => path.startsWith(generic));
    expect(templates.length).toBeGreaterThan(5);
    const harmless = ['cmath', 'cstddef', 'cstdint', ...contracts, ...constants];
    const wrong = violations(({ path, own, system, code }) => {
      const isTemplate = path.startsWith(generic);
      if (!isTemplate)
        return isaOf(path) === undefined || isaOf(path) === 'scalar'
          ? own.filter((header) => header.startsWith(generic))
          : [];
      return [
        ...(path.endsWith('.hpp') ? [] : ['is no header']),
        ...(code.match(/\b(_mm\w*|__m\d+\w*|v(ld|st|add|mul|fma|dup|cvt)\w*q?_\w+|__\w*(x86|avx|arm|aarch)\w*)\b/gi) ??
          []),
        ...[...own, ...system].filter((header) => !harmless.includes(header) && !header.startsWith(generic)),
      ];
    });
    expect(wrong).toEqual([]);
  });

  test('that several instruction sets compile keep everything to themselves: an anonymous namespace holds it', () => {
    // A weak symbol of such a header would be one function for the whole program, with anyone's instructions.
    const isaHeader = (path: string): boolean =>
      path.endsWith('.hpp') && (isaOf(path) !== undefined || path.startsWith(generic));
    const shared = sources.filter(({ path }) => isaHeader(path) || constants.includes(path));
    const open = shared.filter(({ path, code }) => {
      if (path === 'kernels/encoder_polynomials.hpp') return !/namespace gteway::kernels \{\s*constexpr/.test(code);
      const body = /^[^{}]*namespace gteway::kernels(?:::\w+)? \{\s*namespace \{(.*)\}\s*\}\s*$/s.exec(code)?.[1];
      if (body === undefined) return true;
      let depth = 0;
      for (const brace of body.replaceAll(/'(?:\\.|[^'\\])'/g, ' ').match(/[{}]/g) ?? [])
        if ((depth += brace === '{' ? 1 : -1) < 0) return true;
      return false;
    });
    expect(shared.length).toBeGreaterThan(10);
    expect(open.map(({ path }) => path)).toEqual([]);
  });

  test('ask the processor what it is in cpu/ only', () => {
    const asks = /\b_*(cpuid\w*|xgetbv\w*|builtin_cpu_\w+|getauxval)\b/g;
    const wrong = violations(({ layer, code }) => (layer === 'cpu' ? [] : [...(code.match(asks) ?? [])]));
    expect(wrong).toEqual([]);
  });
});

const libRoot = join(root, 'lib');

/** What stands in the hall: the public surface. Each may import from every room but the programs'. */
const publicFiles = ['errors.ts', 'index.ts', 'register.ts', 'reranker.ts', 'session.ts'];

/** The rooms of lib/, lowest first, and which others each may import from; errors.ts is for all. */
const mayImport: Record<string, readonly string[]> = {
  arguments: [],
  cancellation: ['arguments'],
  native: ['arguments'],
  models: ['arguments', 'native'],
  vectors: ['native'],
  documents: ['arguments'],
  tokenizer: ['arguments', 'documents', 'models', 'native'],
  engines: ['arguments', 'cancellation', 'models', 'native', 'tokenizer'],
  embedding: ['arguments', 'cancellation', 'documents', 'engines', 'native', 'tokenizer', 'vectors'],
  reranking: ['arguments', 'cancellation', 'embedding', 'engines'],
  search: ['arguments', 'native', 'vectors'],
  llm: ['arguments', 'cancellation'],
  server: [
    ...['arguments', 'embedding', 'engines', 'models', 'reranking', 'tokenizer', 'vectors'],
    ...['reranker.ts', 'session.ts'],
  ],
  adapters: ['arguments', 'embedding', 'engines', 'reranking', 'vectors', 'reranker.ts', 'session.ts'],
  sync: ['arguments', 'documents', 'vectors', 'session.ts'],
  cli: [
    ...['arguments', 'documents', 'embedding', 'engines', 'models', 'native', 'reranking', 'search', 'server'],
    ...['sync', 'tokenizer', 'vectors'],
    ...['reranker.ts', 'session.ts'],
  ],
};

interface Module {
  /** Relative to lib/, with forward slashes. */
  path: string;
  /** First folder of the path, or the file's name in the hall. */
  room: string;
  /** Modules of lib/ it imports, types included, by their path. */
  imports: string[];
}

const modules: Module[] = filesIn(libRoot, /\.ts$/).map((path) => {
  const text = readFileSync(join(libRoot, path), 'utf8');
  const specifiers = [...text.matchAll(/(?:\bfrom|\bimport\(?)\s*'(\.[^']*)'/g)].map((match) => match[1] ?? '');
  const imports = specifiers
    .map((specifier) => posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts'))
    .filter((target) => !target.startsWith('..'));
  return { path, room: path.split('/', 1)[0] ?? '', imports };
});

/** The first circle of imports met from `path`, as the files it goes through. */
function circleFrom(path: string, done: Set<string>, way: string[] = []): string[] | undefined {
  if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
  if (done.has(path)) return undefined;
  for (const next of modules.find((module) => module.path === path)?.imports ?? []) {
    const circle = circleFrom(next, done, [...way, path]);
    if (circle !== undefined) return circle;
  }
  done.add(path);
  return undefined;
}

describe('lib/', () => {
  test('has the public surface in the hall and everything else in a room', () => {
    const hall = modules.filter(({ path }) => !path.includes('/')).map(({ path }) => path);
    expect(hall.sort()).toEqual(publicFiles);
    const rooms = new Set(modules.map(({ room }) => room).filter((room) => !publicFiles.includes(room)));
    expect([...rooms].sort()).toEqual(Object.keys(mayImport).sort());
  });

  test('imports files that are there', () => {
    const paths = new Set(modules.map(({ path }) => path));
    expect(modules.flatMap(({ imports }) => imports.filter((path) => !paths.has(path)))).toEqual([]);
    expect(modules.flatMap(({ imports }) => imports).length).toBeGreaterThan(100);
  });

  test('depends in one direction, room by room', () => {
    const programs = ['adapters', 'cli', 'server', 'sync'];
    const wrong = modules.flatMap(({ path, room, imports }) =>
      imports
        .filter((target) => {
          const other = target.split('/', 1)[0] ?? '';
          if (other === room || other === 'errors.ts') return false;
          if (publicFiles.includes(room)) return programs.includes(other);
          return mayImport[room]?.includes(other) !== true;
        })
        .map((target) => `${path} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('has no circle of imports, not even one of types', () => {
    const done = new Set<string>();
    expect(modules.map(({ path }) => circleFrom(path, done)).filter((circle) => circle !== undefined)).toEqual([]);
  });

  test('touches the .node in native/binding.ts only', () => {
    const wrong = filesIn(libRoot, /\.ts$/).filter(
      (path) =>
        path !== 'native/binding.ts' &&
        /node-gyp-build|process\.dlopen|\.node['"`]/.test(readFileSync(join(libRoot, path), 'utf8')),
    );
    expect(wrong).toEqual([]);
  });
});
