/** What deploy/ says of gteway is so: flags, variables, ports, routes, paths and metrics. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { describe, expect, test } from 'vitest';
import { flagOf, readServeOptions, serveOptionNames, variableOf, variablePrefix } from '../../lib/server/options.js';
import { queueAgeMetric } from '../../lib/server/server-metrics.js';
import { root } from '../built-library.js';
import { get, startServer } from './serve-fixture.js';

const read = (file: string): string => readFileSync(join(root, 'deploy', file), 'utf8');
const { bin, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  bin: { gteway: string };
  version: string;
};

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

const manifests = parseAllDocuments(read('kubernetes.yaml'));
const parsed = manifests.map((document) => document.toJS() as Manifest);

function manifest(kind: string): Manifest {
  const found = parsed.find((each) => each.kind === kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
}

interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: { readonly httpGet: { readonly path: string; readonly port: string } };
  readonly readinessProbe: { readonly httpGet: { readonly path: string; readonly port: string } };
  readonly livenessProbe: { readonly tcpSocket: { readonly port: string } };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface PodTemplate {
  readonly metadata: { readonly labels: object; readonly annotations: Readonly<Record<string, string>> };
  readonly spec: {
    readonly containers: readonly [Container];
    readonly terminationGracePeriodSeconds: number;
    readonly enableServiceLinks: boolean;
  };
}

const template = manifest('Deployment').spec.template as PodTemplate;
const [container] = template.spec.containers;

/** Throws for a variable or value that `gteway serve` would refuse. */
function checkVariables(text: string): Record<string, string> {
  const variables = Object.fromEntries(
    [...text.matchAll(/\b(GTEWAY_SERVE_[A-Z_]+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]),
  );
  expect(Object.keys(variables).length).toBeGreaterThan(0);
  readServeOptions({ flags: {}, env: variables, file: undefined });
  return variables;
}

const knownFlags = serveOptionNames.map(flagOf);
const flagsIn = (words: readonly string[]): string[] => words.filter((word) => word.startsWith('--'));

describe('kubernetes.yaml', () => {
  test('is YAML of the kinds it should have', () => {
    expect(manifests.flatMap(({ errors }) => errors)).toEqual([]);
    expect(parsed.map(({ kind }) => kind)).toEqual([
      'Deployment',
      'Service',
      'PodDisruptionBudget',
      'HorizontalPodAutoscaler',
    ]);
  });

  test('passes flags and variables there are, with values they take', () => {
    expect(flagsIn(container.args).filter((flag) => !knownFlags.includes(flag))).toEqual([]);
    expect(container.args).toContain('--shutdown-timeout');
    const env = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));
    expect(Object.keys(env).filter((name) => !name.startsWith(variablePrefix))).toEqual([]);
    readServeOptions({ flags: {}, env, file: undefined });
    expect(template.spec.enableServiceLinks).toBe(false);
  });

  test('waits longer than the shutdown timeout before it kills', () => {
    const timeout = Number(container.args[container.args.indexOf('--shutdown-timeout') + 1]);
    expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThan(timeout + 5);
  });

  test('probes and scrapes routes that answer, and scales on a metric there is', async () => {
    const running = await startServer();
    for (const { httpGet } of [container.startupProbe, container.readinessProbe]) {
      expect((await get(running.url + httpGet.path)).status).toBe(200);
      expect(container.ports.map(({ name }) => name)).toContain(httpGet.port);
    }
    expect(container.livenessProbe.tcpSocket.port).toBe('http');
    const { annotations, labels } = template.metadata;
    const metrics = await get(running.url + (annotations['prometheus.io/path'] ?? ''));
    expect(annotations['prometheus.io/port']).toBe(String(container.ports[0]?.containerPort));
    const autoscaler = manifest('HorizontalPodAutoscaler').spec as {
      metrics: [{ pods: { metric: { name: string } } }];
      scaleTargetRef: { name: string };
    };
    expect(autoscaler.metrics[0].pods.metric.name).toBe(queueAgeMetric);
    expect(metrics.text).toMatch(new RegExp(`^${queueAgeMetric}\\{`, 'm'));
    expect(autoscaler.scaleTargetRef.name).toBe(manifest('Deployment').metadata.name);
    expect(manifest('Service').spec.selector).toEqual(labels);
  });
});

test('Dockerfile: variables, port, health check, user and the path of the command', () => {
  const text = read('Dockerfile');
  const variables = checkVariables(text);
  const port = variables[variableOf('port')];
  expect(text).toContain(`EXPOSE ${port}`);
  expect(text).toContain(`http://127.0.0.1:${port}/health`);
  expect(port).toBe(String(container.ports[0]?.containerPort));
  expect(text).toMatch(/^USER node$/m);
  expect(text).toContain(`/app/node_modules/gteway/${bin.gteway.replace(/^\.\//, '')}`);
  const cache = /HF_HUB_CACHE=(\S+)/.exec(text)?.[1];
  expect(container.volumeMounts.map(({ mountPath }) => mountPath)).toContain(cache);
  expect(container.image).toBe(`gteway:${version}`);
  const command = JSON.parse(/^CMD (\[".*\])$/m.exec(text)?.[1] ?? '[]') as string[];
  expect(flagsIn(command).filter((flag) => !knownFlags.includes(flag))).toEqual([]);
});

test('gteway.service: flags, variables, the path of the command and the time to stop', () => {
  const text = read('gteway.service');
  const variables = checkVariables(text);
  const command = /^ExecStart=(.*)$/m.exec(text)?.[1]?.split(' ') ?? [];
  expect(command[1]).toMatch(new RegExp(`/node_modules/gteway/${bin.gteway.replace(/^\.\//, '')}$`));
  expect(command[2]).toBe('serve');
  expect(flagsIn(command).filter((flag) => !knownFlags.includes(flag))).toEqual([]);
  const stop = Number(/^TimeoutStopSec=(\d+)$/m.exec(text)?.[1]);
  expect(stop).toBeGreaterThan(Number(variables[variableOf('shutdownTimeout')]));
  const cache = /^Environment=HF_HUB_CACHE=\/var\/cache\/(\w+)$/m.exec(text)?.[1];
  expect(text).toContain(`CacheDirectory=${cache}`);
});
