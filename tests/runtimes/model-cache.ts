/** A Hugging Face cache in which `gte-small` is a small untrained model of gte-small's dimensions, for offline use. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFixtureModel } from '../../lib/models/fixture/fixture-model.js';
import { demoShape } from '../../lib/models/fixture/shape.js';
import { oneAtATime } from '../built-library.js';
import { workshop } from './edge-function.js';

/** The environment in which `gte-small` is found without a network. */
export async function offlineModels(): Promise<Record<string, string>> {
  const cache = join(workshop, 'hub');
  const repository = join(cache, 'models--Supabase--gte-small');
  const commit = createHash('sha1').update('the fixture').digest('hex');
  mkdirSync(join(repository, 'refs'), { recursive: true });
  mkdirSync(join(repository, 'snapshots'), { recursive: true });
  await oneAtATime(join(workshop, 'hub.lock'), async () => {
    const shape = { ...demoShape, layers: 2, hidden: 384, heads: 12 };
    await writeFixtureModel(join(repository, 'snapshots', commit), shape);
    writeFileSync(join(repository, 'refs', 'main'), commit);
  });
  return { HF_HUB_CACHE: cache, HF_HUB_OFFLINE: '1' };
}
