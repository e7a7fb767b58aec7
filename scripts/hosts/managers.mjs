/** Package managers: each installs gteway by its name into an empty project, runs the check, and then the command line. */
import { Project } from './project.mjs';

/**
 * @typedef {object} Manager
 * @property {string} name
 * @property {readonly string[]} tools npm packages with fixed versions
 * @property {Readonly<Record<string, string>>} [files] the project's settings
 * @property {string} install
 * @property {string} run what runs the check
 * @property {string} command what runs `gteway --version`
 */

/** Their install scripts are not needed, and pnpm wants to be told. */
const builds = 'allowBuilds: { gteway: false, onnxruntime-node: false }\n';

/** @type {readonly Manager[]} */
export const managers = [
  {
    name: 'npm 11',
    tools: ['npm@11.19.1'],
    install: 'npm install gteway',
    run: 'node check.mjs',
    command: 'npx --no-install gteway --version',
  },
  {
    name: 'npm 10',
    tools: ['npm@10.9.2'],
    install: 'npm install gteway',
    run: 'node check.mjs',
    command: 'npx --no-install gteway --version',
  },
  {
    name: 'npm 11, no install scripts',
    tools: ['npm@11.19.1'],
    install: 'npm install --ignore-scripts gteway',
    run: 'node check.mjs',
    command: 'npx --no-install gteway --version',
  },
  {
    name: 'pnpm',
    tools: ['pnpm@12.21.0'],
    files: { 'pnpm-workspace.yaml': builds },
    install: 'pnpm add gteway',
    run: 'node check.mjs',
    command: 'pnpm exec gteway --version',
  },
  {
    name: 'Yarn, node_modules',
    tools: ['@yarnpkg/cli-dist@4.18.1'],
    files: { '.yarnrc.yml': 'nodeLinker: node-modules\n', 'yarn.lock': '' },
    install: 'yarn add gteway',
    run: 'yarn node check.mjs',
    command: 'yarn gteway --version',
  },
  {
    name: 'Yarn, PnP',
    tools: ['@yarnpkg/cli-dist@4.18.1'],
    files: { '.yarnrc.yml': 'nodeLinker: pnp\n', 'yarn.lock': '' },
    install: 'yarn add gteway',
    run: 'yarn node check.mjs',
    command: 'yarn gteway --version',
  },
  {
    name: 'Yarn 1',
    tools: ['yarn@1.22.22'],
    // fastify's light-my-request brings cookie 2, which asks for Node.js 22: nothing of ours can hold it back here.
    install: 'yarn add gteway --ignore-engines',
    run: 'node check.mjs',
    command: 'yarn --silent gteway --version',
  },
  {
    name: 'Bun',
    tools: ['bun@1.4.5'],
    install: 'bun add gteway',
    run: 'bun check.mjs',
    command: 'bunx --bun gteway --version',
  },
  {
    name: 'Bun installs, Node.js runs',
    tools: ['bun@1.4.5'],
    install: 'bun add gteway',
    run: 'node check.mjs',
    command: 'bunx gteway --version',
  },
  {
    name: 'Deno',
    tools: ['deno@2.9.6'],
    install: 'deno add npm:gteway',
    run: 'deno run -A check.mjs',
    command: 'deno run -A npm:gteway --version',
  },
  {
    name: 'Deno, node_modules',
    tools: ['deno@2.9.6'],
    files: { 'deno.json': '{ "nodeModulesDir": "auto" }\n' },
    install: 'deno add npm:gteway',
    run: 'deno run -A check.mjs',
    command: 'deno run -A npm:gteway --version',
  },
];

/**
 * @param {Manager} manager
 * @param {import('./registry.mjs').Registry} registry
 * @param {readonly string[]} tools folders with the manager's programs
 */
export async function tryManager(manager, registry, tools) {
  const { version } = registry;
  const project = new Project(registry.url, tools);
  try {
    for (const [path, text] of Object.entries(manager.files ?? {})) project.write(path, text);
    await project.must(manager.install);
    const facts = resultOf(await project.must(manager.run));
    if (!(await project.must(manager.command)).includes(version))
      throw new Error(`\`${manager.command}\` does not say ${version}`);
    return [`\`${manager.install}\``, describe(facts)];
  } finally {
    project.remove();
  }
}

/** @param {string} output @returns {Record<string, unknown>} */
export function resultOf(output) {
  const line = /^RESULT (.*)$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`the check said nothing:\n${output}`);
  return JSON.parse(line);
}

/** What held, in words; throws where the library itself did not. @param {Record<string, unknown>} facts */
export function describe(facts) {
  const { meaning, required, worker, onnx } = facts;
  const wrong = Object.entries({ meaning, worker }).filter(([, held]) => held !== true);
  if (wrong.length > 0) throw new Error(`did not hold: ${JSON.stringify(facts)}`);
  const also = [
    required === true ? '`require`' : undefined,
    'a worker',
    onnx === 'runs' ? 'ONNX Runtime' : undefined,
    'the command',
  ];
  const not = [
    required === true ? undefined : `\`require\`: ${String(required)}`,
    onnx === 'runs' ? undefined : `ONNX Runtime: ${String(onnx)}`,
  ];
  const failed = not.filter((one) => one !== undefined);
  return `embeds; ${also.filter((one) => one !== undefined).join(', ')}${failed.length > 0 ? `. Not ${failed.join('; ')}` : ''}`;
}
