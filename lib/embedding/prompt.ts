/** The `prompt` of a call: what is put before each of its texts. */
import { nearestName, rejectUnknownKeys } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';
import type { SessionInfo } from '../engines/session-info.js';

/**
 * A string is a name: one of `session.info.prompts`, such as `'query'` or `'passage'`. `{ text }` is the prompt itself, as
 * it is, with its space or newline at the end.
 */
export type Prompt = 'query' | 'passage' | (string & {}) | { readonly text: string };

/** Throws TypeError. */
export function checkPrompt(where: string, prompt: unknown): void {
  if (prompt === undefined || typeof prompt === 'string') return;
  if (typeof prompt !== 'object' || prompt === null || typeof (prompt as { text?: unknown }).text !== 'string') {
    throw new TypeError(
      `${where}: prompt must be a name, or the prompt itself as { text: 'query: ' }, not ${show(prompt)}`,
    );
  }
  rejectUnknownKeys(prompt, ['text'], `${where}: prompt`);
}

/** What comes before each text. Throws RangeError for a name that the model has no prompt for. */
export function promptText(
  prompt: Prompt | undefined,
  { model, prompts }: Pick<SessionInfo, 'model' | 'prompts'>,
): string {
  if (prompt === undefined) return '';
  if (typeof prompt !== 'string') return prompt.text;
  const text = Object.hasOwn(prompts, prompt) ? prompts[prompt] : undefined;
  if (text !== undefined) return text;
  const names = Object.keys(prompts);
  const nearest = nearestName(prompt, names);
  const hint =
    names.length === 0
      ? 'it names none'
      : nearest === undefined
        ? `it has ${names.map(show).join(', ')}`
        : `did you mean ${show(nearest)}?`;
  throw new RangeError(
    `prompt: ${model} has no prompt ${show(prompt)}; ${hint}. A prompt that is to be used as it is: { text: ${show(prompt)} }`,
  );
}
