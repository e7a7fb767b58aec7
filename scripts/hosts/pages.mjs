/**
 * Follows a page of docs/ as a reader would, in an empty project: a block after a line "`name`:" is that file, a block of bash is
 * run, and the block of text behind it is what must come out.
 */
import { readFileSync } from 'node:fs';
import { Project } from './project.mjs';

/** The pages that are followed. */
export const pages = [
  { name: 'esbuild', path: 'docs/esbuild.md' },
  { name: 'webpack', path: 'docs/webpack.md' },
  { name: 'Next.js', path: 'docs/nextjs.md' },
  { name: 'Electron', path: 'docs/electron.md' },
  { name: 'AWS Lambda', path: 'docs/lambda.md' },
];

/**
 * @typedef {{ file: string, text: string } | { command: string, output: string | undefined }} Step
 * @param {string} text
 * @returns {Step[]}
 */
export function stepsOf(text) {
  /** @type {Step[]} */
  const steps = [];
  for (const [, file, language = '', code = '', output] of text.matchAll(
    /(?:^`([\w./-]+)`:\n\n)?^```(\w+)\n(.*?)^```$(?:\s*^```text\n(.*?)^```$)?/gms,
  )) {
    if (file !== undefined) steps.push({ file, text: code });
    else if (language === 'bash') steps.push({ command: code, output });
  }
  return steps;
}

/**
 * @param {string} path
 * @param {import('./registry.mjs').Registry} registry
 * @param {Readonly<Record<string, string>>} environment what the page takes for granted
 */
export async function followPage(path, registry, environment) {
  const project = new Project(registry.url);
  Object.assign(project.environment, environment);
  try {
    for (const step of stepsOf(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'))) {
      if ('file' in step) {
        project.write(step.file, step.text);
        continue;
      }
      const said = await project.must(step.command);
      const lines = (step.output ?? '').split('\n').filter((line) => line.trim() !== '');
      const missing = lines.filter((line) => !said.includes(line.trim()));
      if (missing.length > 0) throw new Error(`\`${step.command}\` did not say ${missing.join(' / ')}, but:\n${said}`);
    }
  } finally {
    project.remove();
  }
}
