import { describe, expect, test } from 'vitest';
import { groupedBars } from '../../bench/report/chart.mjs';
import { verdicts } from '../../bench/report/goals.mjs';

type Results = Parameters<typeof verdicts>[0];
type CaseResult = Extract<Results[number], { kind: 'corpus' | 'length' }>;

function row(name: string, tokensPerSecond: number, failure?: string): CaseResult['rows'][number] {
  return {
    ...{ driver: name.split(' ', 1)[0] ?? '', name, dtype: 'fp32', way: 'together', forced: false },
    ...{ texts: 1, seconds: [1], rounds: 1, textsPerSecond: 1, tokensPerSecond, spreadPercent: 0, gflops: 1 },
    ...{ leastCosine: 1, ...(failure === undefined ? {} : { failure }) },
  };
}

function result(name: string, kind: 'corpus' | 'length', rows: CaseResult['rows']): CaseResult {
  return { name, about: '', kind, texts: 1, tokens: 1, rows };
}

describe('verdicts', () => {
  const amx = ['avx512f', 'amx_bf16', 'amx_int8'];
  const rows = (ours: number) => [
    row('gteway encoder int8', ours),
    row('gteway encoder int8 avx512vnni', 1),
    row('onnxruntime-node int8, sorted', 100),
  ];

  test('compare the named rows, and say met or missed', () => {
    const met = verdicts([result('mixed', 'corpus', rows(150))], []);
    expect(met).toEqual([
      {
        goal: 'mixed: gteway encoder int8 at least 1.5 × onnxruntime-node int8',
        measured: '1.50 ×',
        met: true,
      },
    ]);
    expect(verdicts([result('mixed', 'corpus', rows(149))], [])[0]?.met).toBe(false);
  });

  test('ask more of a machine with AMX', () => {
    const [verdict] = verdicts([result('mixed', 'corpus', rows(499))], amx);
    expect(verdict).toMatchObject({ measured: '4.99 ×', met: false });
    expect(verdicts([result('mixed', 'corpus', rows(500))], amx)[0]?.met).toBe(true);
  });

  test('take the median over cases of equal lengths', () => {
    const lengths = [100, 160, 900].map((ours, index) => result(`length-${index}`, 'length', rows(ours)));
    const [verdict] = verdicts(lengths, []);
    expect(verdict).toMatchObject({ measured: '1.60 × (1.00, 1.60, 9.00)', met: true });
  });

  test('say nothing where a row is missing or failed', () => {
    expect(verdicts([result('mixed', 'corpus', rows(150).slice(0, 1))], [])).toEqual([]);
    const failed = [row('gteway encoder int8', 500, 'a cosine of 0.5'), row('onnxruntime-node int8, sorted', 100)];
    expect(verdicts([result('mixed', 'corpus', failed)], [])).toEqual([]);
  });

  test('compare latencies the other way round, on any machine', () => {
    const latency = (name: string, p50: number) => ({
      ...{ driver: '', name, dtype: 'int8' as const, calls: 1, p50, p95: p50, p99: p50 },
      ...{ medians: [p50], gigabytesPerSecond: 1 },
    });
    const results: Results = [
      {
        ...{ name: 'latency', about: '', kind: 'latency', texts: 1 },
        rows: [latency('gteway encoder int8', 2), latency('onnxruntime-node int8, sorted', 5)],
      },
    ];
    for (const flags of [[], amx]) expect(verdicts(results, flags)).toMatchObject([{ measured: '2.50 ×', met: true }]);
  });

  test('do not ask threads for more than the machine gives', () => {
    const scaling = (gain: number, machineGain: number): Results => [
      {
        ...{ name: 'threads', about: '', kind: 'threads', texts: 1 },
        rows: [{ name: 'gteway encoder fp32', threads: 2, one: 1, all: gain, gain, machineGain }],
      },
    ];
    expect(verdicts(scaling(1.9, 2), [])[0]?.met).toBe(true);
    expect(verdicts(scaling(1.5, 2), [])[0]?.met).toBe(false);
    expect(verdicts(scaling(1.5, 1.6), [])[0]?.met).toBe(true);
  });
});

describe('the chart', () => {
  const chart = {
    ...{ title: 'A <title>', subtitle: 'subtitle', footer: 'footer' },
    columns: [
      { name: 'one', about: 'short' },
      { name: 'two', about: 'long' },
    ],
    groups: [
      [{ label: 'ours', whose: 'ours' as const, values: [1000, 20_000] }],
      [{ label: 'theirs & co', detail: 'batches', whose: 'theirs' as const, values: [500, undefined] }],
    ],
  };

  test('has a bar as long as its value for every figure, and says what was not measured', () => {
    const svg = groupedBars(chart);
    const widths = [...svg.matchAll(/<rect class="(ours|theirs)"[^>]* width="([\d.]+)"/g)].map(([, whose, width]) => [
      whose,
      Number(width),
    ]);
    expect(widths).toHaveLength(3);
    const [[, first] = [], , [, other] = []] = widths;
    expect(Number(first) / Number(other)).toBeCloseTo(2, 2);
    expect(svg).toContain('not measured');
    expect(svg).toContain('1.00k');
    expect(svg).toContain('20.0k');
  });

  test('is well-formed: markup in texts is escaped', () => {
    const svg = groupedBars(chart);
    expect(svg).toContain('A &#60;title&#62;');
    expect(svg).toContain('theirs &#38; co');
    expect(svg).not.toContain('<title>');
  });
});
