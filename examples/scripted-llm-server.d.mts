export interface ScriptedLlmServer {
  readonly url: string;
  close(): Promise<void>;
}

/** @param options.pauseMs between the words of an answer that streams; 15 by default */
export function startScriptedLlmServer(options?: { pauseMs?: number }): Promise<ScriptedLlmServer>;
