/**
 * The part of OpenAI's Chat Completions that self-hosted servers share, as types.
 * Source: the API reference of /v1/chat/completions, and the fields llama.cpp's server adds to it.
 * Servers differ: fields that are not named here are passed on untouched in both directions.
 */

export interface ChatCompletionToolCall {
  id: string;
  type: 'function';
  /** `arguments` is JSON as the model wrote it, which may be wrong. */
  function: { name: string; arguments: string };
}

export type ChatCompletionContentPart =
  | { type: 'text'; text: string }
  | { type: 'image_url'; image_url: { url: string; detail?: 'auto' | 'low' | 'high' } }
  | { type: 'input_audio'; input_audio: { data: string; format: 'wav' | 'mp3' } };

/** One message of the conversation that is sent. */
export interface ChatCompletionMessageParam {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool' | (string & {});
  content?: string | ChatCompletionContentPart[] | null;
  name?: string;
  tool_calls?: ChatCompletionToolCall[];
  tool_call_id?: string;
}

export interface ChatCompletionTool {
  type: 'function';
  function: { name: string; description?: string; parameters?: Record<string, unknown>; strict?: boolean };
}

/** The body of a request. Defaults are the server's. */
export interface ChatCompletionRequest {
  model: string;
  messages: ChatCompletionMessageParam[];
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  temperature?: number;
  top_p?: number;
  n?: number;
  max_tokens?: number;
  max_completion_tokens?: number;
  stop?: string | string[];
  seed?: number;
  presence_penalty?: number;
  frequency_penalty?: number;
  logit_bias?: Record<string, number>;
  logprobs?: boolean;
  top_logprobs?: number;
  user?: string;
  response_format?:
    | { type: 'text' }
    | { type: 'json_object'; schema?: Record<string, unknown> }
    | {
        type: 'json_schema';
        json_schema: { name: string; schema?: Record<string, unknown>; strict?: boolean; description?: string };
      };
  tools?: ChatCompletionTool[];
  tool_choice?: 'none' | 'auto' | 'required' | { type: 'function'; function: { name: string } };
  parallel_tool_calls?: boolean;
  /** llama.cpp: a grammar in GBNF that the answer must follow. */
  grammar?: string;
  /** llama.cpp and vLLM: variables of the model's chat template. */
  chat_template_kwargs?: Record<string, unknown>;
}

/** Why the model stopped. None of these is a failure; `length` means the answer was cut. */
export type ChatCompletionFinishReason =
  'stop' | 'length' | 'tool_calls' | 'content_filter' | 'function_call' | (string & {});

export interface ChatCompletionUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

export interface ChatCompletionMessage {
  role: 'assistant' | (string & {});
  content: string | null;
  refusal?: string | null;
  /** The model's reasoning, where the server keeps it apart from the answer. */
  reasoning_content?: string | null;
  tool_calls?: ChatCompletionToolCall[];
}

/** A whole answer. */
export interface ChatCompletion {
  id: string;
  object: 'chat.completion';
  created: number;
  model: string;
  choices: { index: number; message: ChatCompletionMessage; finish_reason: ChatCompletionFinishReason | null }[];
  usage?: ChatCompletionUsage;
  system_fingerprint?: string;
}

/** One event of an answer that streams. `choices` is empty in a chunk that brings nothing but `usage`. */
export interface ChatCompletionChunk {
  id: string;
  object: 'chat.completion.chunk';
  created: number;
  model: string;
  choices: {
    index: number;
    delta: {
      role?: string;
      content?: string | null;
      refusal?: string | null;
      reasoning_content?: string | null;
      tool_calls?: {
        index: number;
        id?: string;
        type?: 'function';
        function?: { name?: string; arguments?: string };
      }[];
    };
    finish_reason?: ChatCompletionFinishReason | null;
  }[];
  usage?: ChatCompletionUsage | null;
  system_fingerprint?: string;
}
