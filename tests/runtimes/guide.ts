/** The code blocks of the Edge AI guide, as they are in it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../built-library.js';

const path = join(root, '..', 'shared', 'seed', 'edge-ai-guide.ja.md');

/** Why there is no guide, if there is none. */
export const guideIsMissing = existsSync(path) ? undefined : '../shared/seed/edge-ai-guide.ja.md is not there';

/** The blocks in `language`, in their order. */
function blocks(language: string): string[] {
  if (guideIsMissing !== undefined) return [];
  const text = readFileSync(path, 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].flatMap(([, is, code]) =>
    is === language && code ? [code] : [],
  );
}

const typescript = blocks('typescript').map((code) => mapImports(code));

/** Where the types of functions-js and supabase-js come from here; nothing else of the guide's code is touched. */
function mapImports(code: string): string {
  return code
    .replaceAll("'jsr:@supabase/functions-js/edge-runtime.d.ts'", "'gteway/register'")
    .replaceAll("'npm:@supabase/supabase-js@2'", "'@supabase/supabase-js'");
}

export const guide = {
  newSession: typescript[0] ?? '',
  types: typescript[1] ?? '',
  /** Three runs, each below a comment of its own, of three kinds of model. */
  runs: (typescript[2] ?? '').split(/^(?=\/\/)/m),
  embedding: typescript[3] ?? '',
  similaritySearch: typescript[4] ?? '',
  generation: typescript[5] ?? '',
  streaming: typescript[6] ?? '',
  chatbot: typescript[7] ?? '',
  browserReader: blocks('javascript')[0] ?? '',
};
