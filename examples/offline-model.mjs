/**
 * NOT a trained model: gteway's fixture, which has all the parts of one and pseudo-random weights. It lets the examples
 * run where no model can be fetched. Texts that share words come out close to each other, and that is all it knows.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fixtureModel, fixtureNotice } from '../dist/models/fixture/fixture-model.js';

/** The directory of the fixture, written on the first call. */
export async function offlineModel() {
  console.log(`No MODEL is set, so a stand-in is used: ${fixtureNotice}.`);
  return fixtureModel(join(tmpdir(), 'gteway-examples'));
}
