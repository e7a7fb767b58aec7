/**
 * Counts the tokens of a text that is too long to hold: in pieces, cut where the tokenizer would separate words anyway, so
 * that the sum is exactly the count of the whole.
 */
import type { NativeTokenizerConfig } from '../../types/binding.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { CommandError } from './failure.js';

/** UTF-16 code units that are tokenized together, more or less. */
const defaultPieceLength = 1 << 20;
/** A piece that finds no place to be cut grows to this; V8's longest string is 2^29 - 24. */
const longestPiece = 1 << 28;

const nowhere = /(?!)/u;

/**
 * Matches the characters that a text may be cut behind without changing its tokens:
 *
 * - Blanks and line ends separate words and are no part of any.
 * - ASCII and CJK punctuation are words of their own. All of these are starters that no normalisation joins to what
 *   follows them.
 * - So are ideographs, where the tokenizer puts blanks around them.
 *
 * None of them where the tokenizer is not BERT's, whose words may hold blanks, or if an added token, which is matched in the text before it is split, could reach across.
 */
export function cutPattern(config: Pick<NativeTokenizerConfig, 'bert' | 'handleChineseChars' | 'addedTokens'>): RegExp {
  if (!config.bert) return nowhere;
  const added = config.addedTokens.map(({ content }) => `${content}${content.normalize('NFD')}`).join('');
  const taken = added + added.toLowerCase();
  const blanks = /\s/u.test(added) ? [] : [' ', '\t', '\n', '\r'];
  // A token of this kind is not matched behind a letter, and _ and ideographs count as letters there.
  const asksForWords = config.addedTokens.some(({ singleWord }) => singleWord);
  const marks = `!"#$%&'()*+,-./:;<=>?@[\\]^\`{|}~、。！，：；？${asksForWords ? '' : '_'}`;
  const punctuation = Array.from(marks).filter((mark) => !taken.includes(mark));
  const escaped = [...blanks, ...punctuation].map(
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
  const areWords = config.handleChineseChars && !asksForWords && blanks.length > 0 && !/[\u4e00-\u9fff]/u.test(added);
  const ideographs = areWords ? '\\u4e00-\\u9fff' : '';
  // Never matches where nothing is safe.
  return escaped.length === 0 && ideographs === '' ? nowhere : new RegExp(`[${escaped.join('')}${ideographs}]`, 'u');
}

/** The number of tokens of all chunks joined (UTF-8), special tokens not counted. */
export async function countTokens(
  chunks: AsyncIterable<Uint8Array>,
  tokenizer: Tokenizer,
  canCutBehind: RegExp,
  name: string,
  pieceLength = defaultPieceLength,
): Promise<number> {
  const count = (text: string): number => tokenizer.count(text, { addSpecialTokens: false });
  const decoder = new TextDecoder();
  let waiting: string[] = [];
  let length = 0;
  let total = 0;
  for await (const chunk of chunks) {
    const text = decoder.decode(chunk, { stream: true });
    waiting.push(text);
    length += text.length;
    if (length < pieceLength) continue;
    // Only the newest chunk is searched: those before it were, or were too few to bother.
    const end = lastCut(text, canCutBehind);
    if (end === 0) {
      if (length > longestPiece) {
        throw new CommandError(
          `${name}: ` +
            (canCutBehind === nowhere
              ? `longer than ${longestPiece} characters, and this tokenizer's words may reach across any place; `
              : `no blank and no punctuation within ${longestPiece} characters; `) +
            'such a text cannot be counted exactly in bounded memory',
        );
      }
      continue;
    }
    waiting.pop();
    total += count(waiting.join('') + text.slice(0, end));
    waiting = [text.slice(end)];
    length = text.length - end;
  }
  return total + count(waiting.join('') + decoder.decode());
}

/** Where the text behind its last safe character begins; 0 where it has none. */
function lastCut(text: string, canCutBehind: RegExp): number {
  for (let end = text.length; end > 0; end--) if (canCutBehind.test(text.charAt(end - 1))) return end;
  return 0;
}
