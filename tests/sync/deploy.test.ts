/** What deploy/sync-worker.yaml says of gteway is so: flags, ports, probes, and a query that tells the queue's age. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { describe, expect, test } from 'vitest';
import { workCommand } from '../../lib/cli/sync/work.js';
import { readStatus } from '../../lib/sync/status.js';
import { root } from '../built-library.js';
import { Cluster, clusterPatience, findPostgres } from './postgres.js';
import { closeSharedSession, createTable } from './sync-fixture.js';

const { bin, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  bin: { gteway: string };
  version: string;
};

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Deployment {
  readonly kind: 'Deployment';
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly replicas?: number;
    readonly selector: { readonly matchLabels: object };
    readonly template: {
      readonly metadata: { readonly labels: object; readonly annotations: Readonly<Record<string, string>> };
      readonly spec: {
        readonly containers: readonly [
          {
            readonly image: string;
            readonly command: readonly string[];
            readonly args: readonly string[];
            readonly env: readonly { readonly name: string; readonly value?: string }[];
            readonly ports: readonly [{ readonly name: string; readonly containerPort: number }];
            readonly startupProbe: Probe;
            readonly livenessProbe: Probe;
            readonly volumeMounts: readonly [{ readonly mountPath: string }];
          },
        ];
      };
    };
  };
}

interface ScaledObject {
  readonly kind: 'ScaledObject';
  readonly apiVersion: string;
  readonly spec: {
    readonly scaleTargetRef: { readonly name: string };
    readonly triggers: readonly [
      { readonly type: string; readonly metricType: string; readonly metadata: Readonly<Record<string, string>> },
    ];
  };
}

const documents = parseAllDocuments(readFileSync(join(root, 'deploy', 'sync-worker.yaml'), 'utf8'));
const [deployment, scaled] = documents.map((document) => document.toJS() as unknown) as [Deployment, ScaledObject];
const { metadata, spec } = deployment.spec.template;
const [container] = spec.containers;

test('it is YAML of a Deployment and of a ScaledObject for it, which alone sets replicas', () => {
  expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
  expect([deployment.kind, scaled.kind, scaled.apiVersion]).toEqual(['Deployment', 'ScaledObject', 'keda.sh/v1alpha1']);
  expect(scaled.spec.scaleTargetRef.name).toBe(deployment.metadata.name);
  expect(deployment.spec.replicas).toBeUndefined();
  expect(deployment.spec.selector.matchLabels).toEqual(metadata.labels);
});

test('the command, its flags, the port and the probes are those there are', () => {
  expect(container.image).toBe(`gteway:${version}`);
  expect(container.command).toEqual([
    'node',
    `/app/node_modules/gteway/${bin.gteway.replace(/^\.\//, '')}`,
    'sync',
    'work',
  ]);
  const known = workCommand().options.map(({ long }) => long);
  expect(container.args.filter((word) => word.startsWith('--') && !known.includes(word))).toEqual([]);
  const [port] = container.ports;
  expect(container.args[container.args.indexOf('--metrics') + 1]).toBe(`0.0.0.0:${port.containerPort}`);
  expect(metadata.annotations['prometheus.io/port']).toBe(String(port.containerPort));
  expect(metadata.annotations['prometheus.io/path']).toBe('/metrics');
  for (const { httpGet } of [container.startupProbe, container.livenessProbe]) {
    expect(httpGet).toEqual({ path: '/health', port: port.name });
  }
  const cache = container.env.find(({ name }) => name === 'HF_HUB_CACHE')?.value;
  expect(container.volumeMounts.map(({ mountPath }) => mountPath)).toContain(cache);
});

const trigger = scaled.spec.triggers[0];

test('the autoscaler asks the database that the workers use, and its metadata are what KEDA’s scaler knows', () => {
  expect([trigger.type, trigger.metricType]).toEqual(['postgresql', 'Value']);
  expect(Object.keys(trigger.metadata).sort()).toEqual([
    'activationTargetQueryValue',
    'connectionFromEnv',
    'query',
    'targetQueryValue',
  ]);
  expect(container.env.map(({ name }) => name)).toContain(trigger.metadata.connectionFromEnv);
  expect(Number(trigger.metadata.targetQueryValue)).toBeGreaterThan(0);
  expect(readFileSync(join(root, 'deploy', 'Dockerfile'), 'utf8')).toMatch(/npm install .*\bpg\b/);
});

const postgres = findPostgres();
const missing = 'missing' in postgres ? postgres.missing : undefined;

describe.skipIf(missing !== undefined)(`in a database${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  test(
    'its query tells the age of the oldest job as status does, 0 without any, along the index',
    { timeout: clusterPatience },
    async () => {
      const cluster = await Cluster.start();
      const table = await createTable(cluster, { name: container.args[container.args.indexOf('--name') + 1] ?? '' });
      try {
        const query = trigger.metadata.query ?? '';
        const age = async (): Promise<number> => {
          const [row] = await table.run<Record<string, number>>(query);
          const values = Object.values(row ?? {});
          expect(values).toHaveLength(1);
          return values[0] ?? NaN;
        };
        expect(await age()).toBe(0);
        await table.run("INSERT INTO documents SELECT i, 'row ' || i FROM generate_series(1, 20000) i");
        await table.run("UPDATE gteway_sync.articles_queue SET due = due - interval '1 hour' WHERE key_1 = 7");
        await table.run(
          "UPDATE gteway_sync.articles_queue SET priority = 1, due = due - interval '2 hours' WHERE key_1 = 8",
        );
        expect(await age()).toBeGreaterThan(7200);
        expect(Math.abs((await age()) - (await readStatus(table.pool, table.target)).oldest)).toBeLessThan(60);
        await table.run('ANALYZE gteway_sync.articles_queue');
        const plan = await table.run<{ 'QUERY PLAN': string }>(`EXPLAIN ${query}`);
        expect(
          plan
            .map((row) => row['QUERY PLAN'])
            .join('\n')
            .match(/Index (?:Only )?Scan using articles_queue_due/g),
        ).toHaveLength(2);
      } finally {
        await table.close();
        await closeSharedSession();
        await cluster.close();
      }
    },
  );
});
