/** Ends the run with one plain line that any tool can read, and the reason of every skipped test before it. */
import type { Reporter, TestModule } from 'vitest/node';

export default class PlainLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const count = { passed: 0, failed: 0, skipped: 0 };
    for (const module of modules) {
      const failedBefore = count.failed;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') count.passed++;
        else if (result.state === 'failed') count.failed++;
        else {
          count.skipped++;
          console.log(
            `skipped: ${test.fullName}: ${(result.state === 'skipped' ? result.note : undefined) ?? 'no reason given'}`,
          );
        }
      }
      // A file that cannot be loaded, or whose setup fails, has no failed test to count, and must not pass for that.
      if (!module.ok() && count.failed === failedBefore) count.failed++;
    }
    console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  }
}
