/**
 * The global that `import 'gteway/register'` installs. Code that is written against `edge-runtime.d.ts` of
 * @supabase/functions-js compiles against this too, and where that says `unknown`, this says what `run` resolves with.
 * Use one of the two: both declare the same global.
 */
declare namespace Supabase {
  namespace ai {
    /** What `run` of a model known only at run time accepts: the Edge runtime's options and gteway's own. */
    type ModelOptions =
      | import('gteway').RunOptions
      | import('gteway').OllamaGenerateOptions
      | import('gteway').OllamaChatOptions
      | import('gteway').ChatCompletionOptions;

    /** A model: see `Session` of gteway. */
    const Session: typeof import('gteway').Session;
    type Session<Model extends string = string> = import('gteway').Session<Model>;
  }
}
