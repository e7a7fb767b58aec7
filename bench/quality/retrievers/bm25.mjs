/**
 * BM25 with MiniSearch: of the libraries on npm the one that is maintained, has no dependencies and lets tokens and
 * parameters be chosen. (okapibm25 reads all texts again for each query; wink-bm25-text-search brings a language model.)
 * Words are lowercased and stemmed after Porter.
 */
import MiniSearch from 'minisearch';
import { stemmer } from 'stemmer';

/** Lucene's; d = 0 makes BM25 of MiniSearch's BM25+, which for texts this short ranks the same but in a few places. */
const parameters = { k: 1.2, b: 0.75, d: 0 };

/** @type {import('./retriever.mjs').Retriever} */
export const bm25 = {
  name: 'BM25',
  load: async () => ({
    index: (corpus) => {
      const search = new MiniSearch({
        fields: ['text'],
        tokenize: (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [],
        processTerm: (term) => stemmer(term),
        searchOptions: { bm25: parameters },
      });
      search.addAll(corpus.map((text, id) => ({ id, text })));
      return (query) => {
        const scores = new Float64Array(corpus.length).fill(-Infinity);
        // MiniSearch multiplies by the number of words matched, which BM25 does not.
        for (const { id, score, queryTerms } of search.search(query)) scores[id] = score / queryTerms.length;
        return scores;
      };
    },
    close: async () => undefined,
  }),
};
