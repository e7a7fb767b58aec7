// Ends the process in the way its second argument names, with work in flight.
import { Session } from '../../../dist/index.js';

const [model, how] = process.argv.slice(2);
const session = how === 'while-loading' ? new Session(model) : await Session.load(model);
const texts = Array.from({ length: 20_000 }, (_, i) => `${i} ${'work that takes a while '.repeat(20)}`);

switch (how) {
  case 'exit-busy':
    session.embed(texts).catch(() => undefined);
    setTimeout(() => process.exit(7), 100);
    break;
  case 'exit-at-once':
    session.embed(texts).catch(() => undefined);
    process.exit(7);
    break;
  case 'while-loading':
    process.exit(7);
    break;
  case 'throw-busy':
    session.embed(texts).catch(() => undefined);
    setTimeout(() => {
      throw new Error('on purpose');
    }, 100);
    break;
  case 'idle-open':
    // Neither closed nor busy: an open session must not hold the process.
    await session.embed('one');
    console.log('last line');
    break;
  case 'pending-keeps-alive':
    // Nothing but the promise is left: the process must wait for it.
    void session.embed(texts.slice(0, 50)).then(() => console.log('finished'));
    break;
  case 'dropped':
    // Thrown away without close(): the collector must be able to take it.
    for (let i = 0; i < 5; i++) {
      await (await Session.load(model)).embed('one');
      globalThis.gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    console.log('collected');
    break;
  default:
    throw new Error(`unknown: ${how}`);
}
