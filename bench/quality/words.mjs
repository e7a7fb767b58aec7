/**
 * Which words of a text carry its content: lowercased, without stop words, crudely stemmed. Deliberately coarse: two
 * words that might be one another's inflection count as the same, so that a query marked as sharing none shares none.
 */

const stopWords = new Set(
  `a about above after again against all almost along already also although always am among an and another any anyone
   anything are around as at away be became because become been before behind being below beneath beside between both
   but by can cannot could did do does doing don done down during each either else enough ever every everyone
   everything few for from further get gets getting give gives given go goes going gone got had has have having he her
   here hers herself him himself his how i if in instead into is isn it its itself just keep keeps kept let lets like
   ll long made make makes many may me might mine more most much must my myself need needs never no nobody none nor not
   nothing now of off often on once one only onto or other others ought our ours ourselves out over own per rather re
   s same shall she should so some somebody someone something soon still such t than that the their theirs them
   themselves then there these they this those through till to too toward towards under until up upon us use used uses
   using ve very was wasn we were what when where which while who whom whose why will with within without won would yet
   you your yours yourself`
    .trim()
    .split(/\s+/),
);

const endings = [
  'ization',
  'fulness',
  'ations',
  'ation',
  'ities',
  'ments',
  'ingly',
  'ness',
  'ment',
  'ions',
  'ings',
].concat([
  'less',
  'ers',
  'ing',
  'ion',
  'ies',
  'ily',
  'ity',
  'ful',
  'est',
  'ied',
  'er',
  'ed',
  'es',
  'ly',
  's',
  'e',
  'y',
]);

/**
 * The word without its endings, at least three letters of it: "drying", "dries", "dried" and "dry" are all "dri".
 * @param {string} word in lower case
 */
export function crudeStem(word) {
  let stem = word;
  for (let trimmed = true; trimmed;) {
    trimmed = false;
    for (const ending of endings) {
      if (!stem.endsWith(ending) || stem.length - ending.length < 3) continue;
      stem = stem.slice(0, -ending.length);
      trimmed = true;
      break;
    }
  }
  // The doubled consonant of "running"; the y that became an i in "flies".
  return stem.replace(/([^aeiou])\1$/, '$1').replace(/[iy]$/, 'i');
}

/**
 * @param {string} text
 * @returns {Set<string>} the stems of its words, without stop words; apostrophes and hyphens part words
 */
export function contentStems(text) {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return new Set(words.filter((word) => !stopWords.has(word)).map(crudeStem));
}

/**
 * @param {string} one
 * @param {string} other
 * @returns {string[]} the stems of content words that both have
 */
export function sharedStems(one, other) {
  const stems = contentStems(other);
  return [...contentStems(one)].filter((stem) => stems.has(stem));
}
