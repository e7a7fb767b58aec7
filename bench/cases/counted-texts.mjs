/** The texts of a case, and how many tokens they are. The same texts on every run and every machine. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomNumbers, shuffle } from '../measure/statistics.mjs';
import { lengthDeciles } from './cases.mjs';

const maxTokens = 512;

/**
 * Where texts come from: the corpora beside the repository, or words of the model's own vocabulary.
 *
 * @param {string} modelDirectory whose vocabulary has the words
 * @param {string | undefined} corpusDirectory
 * @param {(text: string) => number} tokensOf however many they are
 */
export function countedTexts(modelDirectory, corpusDirectory, tokensOf) {
  const count = (/** @type {string} */ text) => Math.min(maxTokens, tokensOf(text));
  const hasCorpus = corpusDirectory !== undefined && existsSync(join(corpusDirectory, 'mixed.json'));
  const words = hasCorpus ? [] : plainWords(vocabularyOf(modelDirectory));
  /** @type {Map<string, string[]>} */
  const corpora = new Map();

  /** @param {'queries' | 'sentences' | 'passages' | 'mixed'} name */
  function corpus(name) {
    let texts = corpora.get(name);
    if (!texts) {
      texts = hasCorpus
        ? JSON.parse(readFileSync(join(corpusDirectory, `${name}.json`), 'utf8'))
        : standIn(words, lengthDeciles[name], 2000);
      corpora.set(name, texts);
    }
    return texts;
  }

  return {
    count,
    corpus,
    about: hasCorpus ? 'corpus' : 'stand-in texts with the lengths of the corpus',

    /**
     * @param {import('./cases.mjs').Case} item
     * @param {number} wanted
     * @returns {string[]}
     */
    texts(item, wanted) {
      if ('corpus' in item) return sample(corpus(item.corpus), wanted, count);
      const [least, most] = item.tokens;
      return Array.from({ length: wanted }, (_, index) =>
        textOf(least + (index % (most - least + 1)), corpus('passages'), index, count),
      );
    },
  };
}

/**
 * `wanted` texts whose lengths lie at evenly spaced quantiles of all lengths, in shuffled order: few texts have the
 * distribution of many.
 *
 * @param {string[]} texts
 * @param {number} wanted
 * @param {(text: string) => number} count
 */
function sample(texts, wanted, count) {
  const sorted = texts.map((text) => ({ text, tokens: count(text) })).sort((a, b) => a.tokens - b.tokens);
  const picked = Array.from({ length: wanted }, (_, index) => {
    const { text } = sorted[Math.floor(((index + 0.5) / wanted) * sorted.length)];
    return text;
  });
  return shuffle(picked, 1);
}

/**
 * A text of exactly `tokens` tokens: words of a passage, as long as they fit.
 *
 * @param {number} tokens
 * @param {string[]} passages
 * @param {number} index which of several different texts
 * @param {(text: string) => number} count
 */
function textOf(tokens, passages, index, count) {
  let text = '';
  for (let next = index; next < index + 64; next++) {
    for (const word of passages[(next * 17) % passages.length].split(/\s+/)) {
      const longer = text === '' ? word : `${text} ${word}`;
      const length = count(longer);
      if (length <= tokens) text = longer;
      if (length === tokens) return text;
    }
  }
  throw new Error(`no words of the passages add up to ${tokens} tokens`);
}

/**
 * @param {string} modelDirectory
 * @returns {Record<string, number>}
 */
function vocabularyOf(modelDirectory) {
  return JSON.parse(readFileSync(join(modelDirectory, 'tokenizer.json'), 'utf8')).model.vocab;
}

/** @param {Record<string, number>} vocabulary */
function plainWords(vocabulary) {
  return Object.keys(vocabulary).filter((token) => /^[a-z]{2,}$/.test(token));
}

/**
 * Texts of one-token words whose lengths are spread linearly between the deciles.
 *
 * @param {string[]} words
 * @param {number[]} deciles
 * @param {number} total
 */
function standIn(words, deciles, total) {
  const random = randomNumbers(2);
  return Array.from({ length: total }, (_, index) => {
    const position = (index / total) * (deciles.length - 1);
    const decile = Math.floor(position);
    const tokens = deciles[decile] + (position - decile) * (deciles[decile + 1] - deciles[decile]);
    const length = Math.max(1, Math.round(tokens) - 2);
    return Array.from({ length }, () => words[Math.floor(random() * words.length)]).join(' ');
  });
}
