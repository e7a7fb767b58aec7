/** What a model was trained to find before a text: `query: `, `passage: `, an instruction. By name. */
import { join } from 'node:path';
import { GtewayError } from '../errors.js';
import { readJsonIfPresent } from './config.js';
import type { KnownModel } from './registry.js';

/** Name → what comes before the text. A name whose text is empty says that nothing does. */
export type Prompts = Readonly<Record<string, string>>;

/** The file of a sentence-transformers model that names its prompts. */
export const promptsFile = 'config_sentence_transformers.json';

/**
 * The name of the prompt that sentence-transformers puts before every text unless told otherwise, which gteway does not;
 * undefined where the directory's file names none.
 */
export async function readDefaultPrompt(directory: string): Promise<string | undefined> {
  const config = await readJsonIfPresent(join(directory, promptsFile));
  const { default_prompt_name: name } = Object(config) as { default_prompt_name?: unknown };
  return typeof name === 'string' ? name : undefined;
}

/** Of a known model: where one of the two is prefixed, the other one's text stands alone. */
export function knownPrompts({ queryPrefix, passagePrefix }: KnownModel): Prompts {
  if (queryPrefix === undefined && passagePrefix === undefined) return {};
  return { query: queryPrefix ?? '', passage: passagePrefix ?? '' };
}

/**
 * Those that a model's directory states; none where it has no such file. `passage` and `document` stand for each other
 * where there is only one of them. Throws ERR_MODEL_INVALID where the file's prompts are not texts by name.
 */
export async function readPrompts(directory: string): Promise<Prompts> {
  const path = join(directory, promptsFile);
  const config = await readJsonIfPresent(path);
  if (config === undefined) return {};
  const { prompts } = Object(config) as { prompts?: unknown };
  if (prompts === undefined || prompts === null) return {};
  const invalid = new GtewayError('ERR_MODEL_INVALID', `${path}: "prompts" must be an object of texts`);
  if (typeof prompts !== 'object' || Array.isArray(prompts)) throw invalid;
  const named: Record<string, string> = {};
  for (const [name, text] of Object.entries(prompts) as [string, unknown][]) {
    if (typeof text !== 'string') throw invalid;
    named[name] = text;
  }
  for (const [name, other] of [
    ['passage', 'document'],
    ['document', 'passage'],
  ] as const) {
    const text = Object.hasOwn(named, other) ? named[other] : undefined;
    if (text !== undefined && !Object.hasOwn(named, name)) named[name] = text;
  }
  return named;
}
