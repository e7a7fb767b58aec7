/**
 * A chatbot that remembers the conversation.
 *
 *   node examples/chatbot.mjs                                             (a scripted server stands in for the model)
 *   AI_INFERENCE_API_HOST=http://localhost:11434 node examples/chatbot.mjs mistral
 *
 * Type a line, get an answer as it is generated. An empty line or Ctrl-D ends it.
 */
import { createInterface } from 'node:readline';
import { isGtewayError, Session } from 'gteway';
import { startScriptedLlmServer } from './scripted-llm-server.mjs';

const standIn = process.env.AI_INFERENCE_API_HOST ? undefined : await startScriptedLlmServer();
if (standIn) process.env.AI_INFERENCE_API_HOST = standIn.url;

const session = new Session(process.argv[2] ?? 'mistral');
const messages = [{ role: 'system', content: 'You are a friendly assistant. Answer in one sentence.' }];

const lines = createInterface({ input: process.stdin, prompt: 'you: ' });
if (process.stdin.isTTY) lines.prompt();
for await (const line of lines) {
  if (line.trim() === '') break;
  messages.push({ role: 'user', content: line });
  process.stdout.write('bot: ');
  let answer = '';
  try {
    for await (const { message } of await session.run({ messages }, { stream: true, timeout: 60 })) {
      answer += message.content;
      process.stdout.write(message.content);
    }
  } catch (error) {
    if (!isGtewayError(error)) throw error;
    process.stdout.write(`… ${error.message}`);
    process.exitCode = 1;
  }
  process.stdout.write('\n');
  // An answer that broke off is still what was said.
  messages.push({ role: 'assistant', content: answer });
  if (process.stdin.isTTY) lines.prompt();
}
lines.close();
await session.close();
await standIn?.close();
