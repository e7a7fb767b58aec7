/** An empty project in a folder of its own, with a home of its own, so that no cache or setting of this machine helps. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

/** What each project is asked: as a module, by require(), in a worker, and in ONNX Runtime. */
export const check = readFileSync(new URL('check.mjs', import.meta.url), 'utf8');

/**
 * @typedef {object} Outcome
 * @property {number | null} status
 * @property {string} output both streams
 * @property {number} seconds
 */

export class Project {
  /**
   * @param {string} registry
   * @param {readonly string[]} tools folders with programs, before those of this machine
   */
  constructor(registry, tools = []) {
    this.parent = mkdtempSync(join(tmpdir(), 'gteway-project-'));
    this.folder = join(this.parent, 'app');
    this.write('../home/.npmrc', `registry=${registry}/\n`);
    const { PATH = '', LANG, NODE_EXTRA_CA_CERTS, SSL_CERT_FILE } = process.env;
    /** @type {NodeJS.ProcessEnv} */
    this.environment = {
      HOME: join(this.parent, 'home'),
      PATH: [...tools, PATH].join(delimiter),
      CI: '1',
      NO_COLOR: '1',
      npm_config_fund: 'false',
      npm_config_audit: 'false',
      npm_config_update_notifier: 'false',
      YARN_NPM_REGISTRY_SERVER: registry,
      YARN_UNSAFE_HTTP_WHITELIST: '127.0.0.1',
      YARN_ENABLE_IMMUTABLE_INSTALLS: '0',
      YARN_ENABLE_TELEMETRY: '0',
      YARN_ENABLE_GLOBAL_CACHE: '0',
      NEXT_TELEMETRY_DISABLED: '1',
      DENO_NO_UPDATE_CHECK: '1',
      // Its install step wants CUDA libraries from a host that may be out of reach, as on the machine this was written on.
      ONNXRUNTIME_NODE_INSTALL: 'skip',
      ...(LANG && { LANG }),
      ...(NODE_EXTRA_CA_CERTS && { NODE_EXTRA_CA_CERTS }),
      ...(SSL_CERT_FILE && { SSL_CERT_FILE }),
    };
    this.write('package.json', '{ "name": "app", "private": true, "type": "module" }\n');
    this.write('check.mjs', check);
  }

  /** @param {string} path @param {string} text */
  write(path, text) {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  /**
   * Runs a line of shell in the project.
   *
   * @param {string} line
   * @param {Record<string, string>} environment
   * @returns {Promise<Outcome>}
   */
  run(line, environment = {}) {
    const started = performance.now();
    const child = spawn('sh', ['-ec', line], {
      cwd: this.folder,
      env: { ...this.environment, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += String(bytes)));
    const timer = setTimeout(() => child.pid && process.kill(-child.pid, 'SIGKILL'), 400_000);
    return new Promise((settle, reject) => {
      child.on('error', reject);
      // A server that the line left behind.
      child.on('exit', () => {
        try {
          if (child.pid) process.kill(-child.pid, 'SIGTERM');
        } catch {
          // Nothing was.
        }
      });
      child.on('close', (status) => {
        clearTimeout(timer);
        settle({ status, output, seconds: (performance.now() - started) / 1000 });
      });
    });
  }

  /** Likewise, and rejects where it fails: what is printed. @param {string} line @param {Record<string, string>} environment */
  async must(line, environment = {}) {
    const { status, output } = await this.run(line, environment);
    if (status !== 0)
      throw new Error(`\`${line}\` ended with ${status}:\n${output.trim().split('\n').slice(-25).join('\n')}`);
    return output;
  }

  remove() {
    rmSync(this.parent, { recursive: true, force: true });
  }
}
