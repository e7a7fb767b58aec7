/** WordPiece for lowercase ASCII text, as the BERT paper's repository describes it: the longest piece first. */
export function wordpiece(text: string, vocabulary: ReadonlyMap<string, number>): string[] {
  const tokens: string[] = ['[CLS]'];
  for (const word of text.match(/[a-z0-9]+|[^a-z0-9\s]/g) ?? []) {
    const pieces: string[] = [];
    for (let begin = 0; begin < word.length;) {
      let end = word.length;
      const piece = (): string => (begin > 0 ? '##' : '') + word.slice(begin, end);
      while (end > begin && !vocabulary.has(piece())) end--;
      if (end === begin) break;
      pieces.push(piece());
      begin = end;
    }
    tokens.push(...(pieces.join('').replaceAll('##', '') === word ? pieces : ['[UNK]']));
  }
  return [...tokens, '[SEP]'];
}
