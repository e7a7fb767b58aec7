import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: ['tests/fixtures/global-setup.ts'],
    // A process per file: what a test does to the addon, the environment or the process stays in it.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ['default', './tests/plain-line-reporter.ts'],
    typecheck: { enabled: true, include: ['tests/**/*.test-d.ts'] },
  },
});
