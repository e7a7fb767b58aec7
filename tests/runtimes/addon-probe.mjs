// The addon in whatever runtime runs this: `addon-probe.mjs <step>`, with the results as one line of JSON.
import { GtewayError, Session, Tokenizer } from 'gteway';

const texts = ['Hello world', 'déjà vu 世界 🦙', '', 'a '.repeat(600)];

const steps = {
  async embed() {
    const session = await Session.load('gte-small');
    const { data, rows, dimensions, truncated } = await session.embed(texts);
    const { isa, device } = session.info;
    const alone = await session.run(texts[0]);
    const many = await Promise.all(Array.from({ length: 64 }, (_, at) => session.run(`text ${at}`)));
    await session.close();
    return { data: Array.from(data), rows, dimensions, truncated, isa, device, alone, many: many.length };
  },

  async stream() {
    const session = await Session.load('gte-small');
    const rows = [];
    for await (const row of session.embedStream(texts)) rows.push(...row);
    const embedded = await session.embed(texts);
    await session.close();
    return { same: rows.every((value, at) => value === embedded.data[at]), values: rows.length };
  },

  async tokenize() {
    const tokenizer = await Tokenizer.load('gte-small');
    return texts.map((text) => Array.from(tokenizer.encode(text).ids));
  },

  async closeDuringWork() {
    const session = await Session.load('gte-small');
    const working = Array.from({ length: 32 }, () => session.embed(texts).catch((error) => error));
    await session.close();
    const outcomes = await Promise.all(working);
    const late = await session.run('too late').catch((error) => error);
    await session.close();
    return {
      codes: [...new Set(outcomes.filter((outcome) => outcome instanceof GtewayError).map(({ code }) => code))],
      late: late.code,
    };
  },

  // The session is left open: neither it nor its threads may keep the process alive.
  async leaveOpen() {
    const session = await Session.load('gte-small');
    return (await session.run('Hello world')).length;
  },

  async exitDuringWork() {
    const session = await Session.load('gte-small');
    for (let at = 0; at < 32; at++) session.embed(texts).catch(() => undefined);
    console.log(`RESULT ${JSON.stringify('leaving')}`);
    process.exit(0);
  },

  async errors() {
    const codeOf = (work) =>
      work.then(
        () => 'none',
        (error) => error.code ?? error.name,
      );
    const session = await Session.load('gte-small');
    const codes = [
      await codeOf(Session.load('./no-such-directory')),
      await codeOf(session.run('x', { nonsense: 1 })),
      await codeOf(session.run(7)),
      await codeOf(session.run('x', { signal: AbortSignal.abort() })),
    ];
    await session.close();
    return codes;
  },
};

console.log(`RESULT ${JSON.stringify(await steps[process.argv[2]]())}`);
