/** Where a call of any length is cut into slices, each of them one native call. */

export interface SliceBounds {
  readonly mostTexts: number;
  /** UTF-16 code units. A longer text is a slice by itself. */
  readonly mostCharacters: number;
}

/** Some 1,000 texts or 256 KB keep every worker busy, with three of them under way. */
export const sliceBounds: SliceBounds = { mostTexts: 1024, mostCharacters: 256 * 1024 };

/** Slices of one call that are computed at the same time: one in the workers' hands, one behind it, one on its way out. */
export const slicesUnderWay = 3;

/** Bounds that leave room for others: the slices that a call has under way fit the queue together. */
export function sliceBoundsWithin({
  maxQueue,
  maxQueueBytes,
}: {
  maxQueue: number;
  maxQueueBytes: number;
}): SliceBounds {
  const share = (bound: number): number => Math.max(1, Math.floor(bound / slicesUnderWay));
  return {
    mostTexts: Math.min(sliceBounds.mostTexts, share(maxQueue)),
    mostCharacters: Math.min(sliceBounds.mostCharacters, share(maxQueueBytes)),
  };
}

/**
 * For each slice of a list, the index behind its last text. An empty list is one empty slice. `before`: characters that come
 * before each text.
 */
export function sliceEnds(list: readonly string[], { mostTexts, mostCharacters }: SliceBounds, before = 0): number[] {
  const ends: number[] = [];
  let begin = 0;
  let characters = 0;
  for (const [i, text] of list.entries()) {
    const length = before + text.length;
    const isOver = i - begin === mostTexts || (i > begin && characters + length > mostCharacters);
    if (isOver) {
      ends.push(i);
      [begin, characters] = [i, 0];
    }
    characters += length;
  }
  ends.push(list.length);
  return ends;
}
