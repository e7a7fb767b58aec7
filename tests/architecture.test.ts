/** Keeps the layers of ARCHITECTURE.md apart: reads every native source's includes, and what lib/ imports. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
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
  engine: ['kernels', 'model', 'cpu', 'base'],
  scheduler: ['engine', 'tokenizer', 'kernels', 'model', 'cpu', 'base'],
  addon: ['scheduler', 'engine', 'tokenizer', 'kernels', 'model', 'cpu', 'base'],
};

/** The header a kernel folder's intrinsics come from; scalar has none. */
const intrinsics: Record<string, string | undefined> = {
  scalar: undefined,
  avx2: 'immintrin.h',
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
  avx512vnni: ['avx512'],
  avx512bf16: ['avx512'],
  amx: ['avx512', 'avx512bf16'],
  neondot: ['neon'],
  neonbf16: ['neon', 'neondot'],
};

function isaOf(path: string): string | undefined {
  return /^kernels\/(\w+)\//.exec(path)?.[1];
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
    const contracts = ['kernels/contract.hpp', 'kernels/encoder_contract.hpp'];
    const constants = 'kernels/encoder_polynomials.hpp';
    const harmless = ['cmath', 'cstddef', 'cstdint', ...contracts, constants];
    const wrong = violations(({ path, own, system }) => {
      const isa = isaOf(path);
      if (isa === undefined) return [];
      if (!(isa in intrinsics)) return [`unknown instruction set ${isa}`];
      const allowed = [...harmless, intrinsics[isa]];
      const folders = [isa, ...(contains[isa] ?? [])];
      return [...own, ...system].filter(
        (header) => !allowed.includes(header) && !folders.some((folder) => header.startsWith(`kernels/${folder}/`)),
      );
    });
    expect(wrong).toEqual([]);
    for (const contract of sources.filter(({ path }) => contracts.includes(path)))
      expect([contract.path, contract.own, contract.system]).toEqual([contract.path, [], ['cstddef', 'cstdint']]);
  });

  test('ask the processor what it is in cpu/ only', () => {
    const asks = /\b_*(cpuid\w*|xgetbv\w*|builtin_cpu_\w+|getauxval)\b/g;
    const wrong = violations(({ layer, code }) => (layer === 'cpu' ? [] : [...(code.match(asks) ?? [])]));
    expect(wrong).toEqual([]);
  });
});

describe('lib/', () => {
  test('touches the .node in native/binding.ts only', () => {
    const lib = join(root, 'lib');
    const wrong = filesIn(lib, /\.ts$/).filter(
      (path) =>
        path !== 'native/binding.ts' &&
        /node-gyp-build|process\.dlopen|\.node['"`]/.test(readFileSync(join(lib, path), 'utf8')),
    );
    expect(wrong).toEqual([]);
  });
});
