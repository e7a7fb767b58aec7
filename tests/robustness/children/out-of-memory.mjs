// Lets allocations of the addon fail, one per session: of loading, embedding and closing. Prints as JSON how many there are,
// which failed, what became of the calls, and what should not have.

const [model, engine, faultyAddon, most] = process.argv.slice(2);

// The library loads the addon of the tests in place of its own.
let addon;
const open = process.dlopen;
process.dlopen = (module, filename, ...rest) => {
  const isOurs = filename.endsWith('gteway.node');
  open.call(process, module, isOurs ? faultyAddon : filename, ...rest);
  if (isOurs) addon = module.exports;
};
const { Session } = await import('../../../dist/index.js');

const options = { engine, threads: 2, cache: { maxBytes: 2 ** 16 } };
const texts = ['one text', 'another one', 'one text', 'the third of them is a little longer than the others'];
const rows = async (session) => Array.from((await session.embed(texts)).data);

const outcomes = {};
const wrong = [];
const note = (failing, error) => {
  const code = error?.code ?? String(error);
  outcomes[code] = (outcomes[code] ?? 0) + 1;
  if (code !== 'ERR_OUT_OF_MEMORY') wrong.push({ failing, code, message: error?.message });
};

async function life(failing) {
  addon?.failAllocation(failing);
  let session;
  let loading = 0;
  try {
    session = await Session.load(model, options);
    loading = addon.allocations();
    const calls = [
      session.run('alone'),
      session.embed(texts, { pooling: 'none' }),
      session.embed(texts, { onError: 'continue', truncate: false }),
      rows(session),
    ];
    for (const call of await Promise.allSettled(calls)) if (call.status === 'rejected') note(failing, call.reason);
    session.stats();
  } catch (error) {
    note(failing, error);
  }
  const count = addon.allocations();
  addon.failAllocation(0);
  const after = session === undefined ? undefined : await rows(session);
  if (failing !== 0 && count >= failing) addon.failAllocation(failing - count);
  await session?.close();
  addon.failAllocation(0);
  return { loading, count, after };
}

await life(0);
const { loading, count, after: expected } = await life(0);
// Most of them are the loading's: half of what is tried is of the rest.
const spread = (first, end) => {
  const step = Math.max(1, Math.floor((2 * (end - first)) / Number(most)));
  return Array.from({ length: Math.ceil((end - first) / step) }, (_, i) => first + i * step);
};
let tried = 0;
for (const failing of [...spread(1, loading), ...spread(loading, count + 100)]) {
  const { after } = await life(failing);
  tried++;
  if (after !== undefined && JSON.stringify(after) !== JSON.stringify(expected))
    wrong.push({ failing, rows: 'others' });
  if (after === undefined && tried % 16 === 0) {
    // The next session is as good as the first.
    const next = await life(0);
    if (JSON.stringify(next.after) !== JSON.stringify(expected)) wrong.push({ failing, rows: 'others, of the next' });
  }
}
console.log(JSON.stringify({ loading, count, tried, outcomes, wrong }));
