/**
 * Which repository names, revisions and file names may become part of a path or URL.
 *
 * All of them can come from outside (an option, an HTTP request, the hub's answer, a file of the cache), and all of them
 * end up in paths. Each is checked against what it may look like, on every platform's rules at once, so nothing that
 * passes can leave the directory it is joined to.
 */

/** One half of `owner/name`: the hub's rule, which also keeps `models--owner--name` unambiguous. */
const repositoryPart = /^(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?$/;

const commitPattern = /^[0-9a-f]{40}$/;

/** Whether `text` is `owner/name` as the hub allows it. */
export function isRepositoryName(text: string): boolean {
  const parts = text.split('/');
  return parts.length === 2 && parts.every((part) => repositoryPart.test(part)) && !text.endsWith('.git');
}

/** Whether `text` can be a branch, a tag, a commit or a pull request (`refs/pr/1`). */
export function isRevision(text: string): boolean {
  return (
    text.length <= 255 &&
    text.split('/').every((part) => /^[A-Za-z0-9_+=#-][A-Za-z0-9_.+=#-]*$/.test(part) && !part.includes('..')) &&
    !text.startsWith('-') &&
    !/\.(?:lock)?$/.test(text)
  );
}

/** Whether `text` is a full commit hash. */
export function isCommit(text: string): boolean {
  return commitPattern.test(text);
}

/**
 * Whether `text` names a file below the directory it will be joined to, under POSIX and Windows rules alike: no `..`,
 * no absolute path, no drive or stream (`:`), no backslash, no control character.
 */
export function isRelativeFile(text: string): boolean {
  return (
    text.length > 0 &&
    text.length <= 1024 &&
    !/[\\:\u0000-\u001f\u007f]/.test(text) &&
    text.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}
