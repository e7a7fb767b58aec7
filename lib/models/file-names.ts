/** The names of files that every reader of models knows. */

/** A set of file names: a directory, a cached snapshot, or what the hub lists. Names use `/`. */
export interface FileSet {
  has(file: string): boolean;
  /** All names, for messages. */
  list(): readonly string[];
}

export const configFile = 'config.json';
export const tokenizerFile = 'tokenizer.json';
export const tokenizerConfigFile = 'tokenizer_config.json';
