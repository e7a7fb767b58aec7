import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take half a minute or more, the longest first. */
const longest = [
  'native/native-tests',
  'robustness/exit-storm',
  'cli/resume',
  'parity/tokenizer',
  'server/hostile',
  'server/fuzz',
  'parity/embeddings',
  'runtimes/guide',
];

/** Begins with the longest, so that no worker is left alone with one at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((name) => moduleId.endsWith(`tests/${name}.test.ts`));
      return at === -1 ? longest.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: ['tests/fixtures/global-setup.ts'],
    // A process per file: what a test does to the addon, the environment or the process stays in it.
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // What hangs ends; what a busy machine takes ten times as long for does not.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    reporters: ['default', './tests/plain-line-reporter.ts'],
    typecheck: { enabled: true, include: ['tests/**/*.test-d.ts'] },
  },
});
