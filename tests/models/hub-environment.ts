/** An environment in which nothing of the machine's own hub settings, token or cache can be seen. */
import { onTestFinished, vi } from 'vitest';
import { temporaryDirectory } from './model-directory.js';

const names = [
  'HF_ENDPOINT',
  'HF_TOKEN',
  'HUGGING_FACE_HUB_TOKEN',
  'HF_TOKEN_PATH',
  'HF_HOME',
  'HF_HUB_CACHE',
  'HUGGINGFACE_HUB_CACHE',
  'XDG_CACHE_HOME',
  'HF_HUB_OFFLINE',
  'HF_HUB_DOWNLOAD_TIMEOUT',
  'EXT_AI_CACHE_DIR',
  'HTTP_PROXY',
  'http_proxy',
  'HTTPS_PROXY',
  'https_proxy',
  'NO_PROXY',
  'no_proxy',
];

/** Sets the given variables and clears the other ones, until the test ends. Returns HF_HOME, an empty directory. */
export function isolateHubEnvironment(variables: Readonly<Record<string, string>> = {}): string {
  const home = variables.HF_HOME ?? temporaryDirectory();
  for (const name of names) vi.stubEnv(name, undefined);
  vi.stubEnv('HF_HOME', home);
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  return home;
}
