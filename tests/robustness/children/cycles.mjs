// Loads, uses and closes a session 110 times, and prints how much memory the last 50 added, in bytes. Before that the
// allocator's own holdings grow to where they stay.
import { Session } from '../../../dist/index.js';

const [model] = process.argv.slice(2);
const cycle = async () => {
  const session = await Session.load(model);
  await session.embed(['one', 'two words', 'a few more words than that']);
  await session.close();
};
const resident = () => {
  globalThis.gc();
  return process.memoryUsage().rss;
};
for (let i = 0; i < 60; i++) await cycle();
const before = resident();
for (let i = 0; i < 50; i++) await cycle();
console.log(JSON.stringify({ growth: resident() - before }));
