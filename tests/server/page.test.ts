/** The page in a real headless Chromium: what it shows, what it asks for, and that it asks nobody but this server. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, type TestContext, test } from 'vitest';
import { cosineSimilarity, Session } from '../../lib/index.js';
import { root } from '../built-library.js';
import { get, modelName, openServer, post, type TestServer } from './serve-fixture.js';

const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
/** Screenshots of the last run, for people. */
const screenshots = join(root, '.cache', 'screenshots');

let running: TestServer;
let browser: Browser | undefined;

beforeAll(async () => {
  running = await openServer();
  mkdirSync(screenshots, { recursive: true });
  if (!existsSync(executablePath)) return;
  browser = await chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
});
afterAll(async () => {
  await browser?.close();
  await running.server.close();
});

interface Opened {
  readonly page: Page;
  /** What went wrong in it: errors, refused loads, requests elsewhere. */
  readonly problems: string[];
}

interface OpenOptions {
  readonly server?: TestServer;
  readonly colorScheme?: 'light' | 'dark';
  readonly width?: number;
}

async function open(
  context: TestContext,
  { server = running, colorScheme = 'light', width = 1100 }: OpenOptions = {},
): Promise<Opened> {
  if (browser === undefined) context.skip(`no Chromium at ${executablePath} (set CHROMIUM_PATH)`);
  const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
  context.onTestFinished(() => page.close());
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(server.url) && !request.url().startsWith('data:')) problems.push(request.url());
  });
  await page.goto(server.url);
  return { page, problems };
}

async function compare(page: Page, texts?: readonly string[]): Promise<void> {
  if (texts !== undefined) await page.fill('#texts', texts.join('\n'));
  await page.click('#compare');
  await page.locator('#status', { hasText: / ms$/ }).waitFor();
}

describe('in a browser', () => {
  test('says what is served', async (context) => {
    const { page, problems } = await open(context);
    await page.locator('#facts', { hasText: 'dimensions' }).waitFor();
    expect(await page.textContent('#facts')).toBe(`${modelName} · 96 dimensions · up to 512 tokens · float32 on cpu`);
    expect(problems).toEqual([]);
  });

  test('shows tokens as the tokenizer makes them, and cosines as the library does', async (context) => {
    const texts = ['Unaffordable!', 'a small dog', '<b>a little</b> puppy'];
    const { page, problems } = await open(context);
    await compare(page, texts);
    const tokens = await page.locator('#tokens li').first().locator('.token').allTextContents();
    expect(tokens).toEqual(['[CLS]', 'un', 'af', 'ford', 'able', '!', '[SEP]']);
    expect(await page.locator('#tokens li').first().locator('.word').count()).toBe(4);
    await using session = await Session.load(inject('fixture'), { dtype: 'fp32' });
    const embeddings = await session.embed(texts);
    const cells = await page.locator('#heat-map td:not(:empty)').allTextContents();
    const wanted = texts.flatMap((_, i) =>
      texts.map((__, j) => cosineSimilarity(embeddings.at(i), embeddings.at(j)).toFixed(2)),
    );
    expect(cells).toEqual(wanted);
    await page.locator('#heat-map tbody tr').nth(0).locator('td').nth(1).hover();
    expect(await page.textContent('#pair')).toMatch(/^0\.\d{4} {2}“Unaffordable!” and “a small dog”$/);
    expect(problems).toEqual([]);
  });

  test('strikes out what is beyond the limit, and exactly that', async (context) => {
    const { page } = await open(context);
    await compare(page, ['short', 'word '.repeat(600)]);
    expect(await page.locator('.count').allTextContents()).toEqual(['3 tokens', '512 of 602 tokens']);
    // 510 words and two special tokens remain.
    expect(await page.locator('.token.beyond').count()).toBe(602 - 512);
    expect(await page.locator('#tokens li').nth(1).locator('.token').nth(510).getAttribute('class')).toBe('token');
  });

  test('says what failed', async (context) => {
    const { page } = await open(context);
    await page.fill('#texts', '  \n ');
    await page.click('#compare');
    expect(await page.textContent('#status')).toBe('Write some texts first.');
    await page.fill('#texts', 'x\n'.repeat(25));
    await page.click('#compare');
    expect(await page.textContent('#status')).toBe('At most 24 texts; there are 25.');
  });

  test('asks for a key where one is needed', async (context) => {
    const guarded = await openServer({ apiKey: ['secret'] });
    context.onTestFinished(() => guarded.server.close());
    const { page } = await open(context, { server: guarded });
    await page.waitForSelector('#key:visible');
    expect(await page.textContent('#status')).toContain('API key');
    await page.fill('#key', 'secret');
    await compare(page, ['a', 'b']);
    expect(await page.locator('#heat-map td:not(:empty)').count()).toBe(4);
  });

  test.for([
    ['light', 1100],
    ['dark', 1100],
    ['light', 390],
  ] as const)('looks as it should, in %s at %i pixels', async ([colorScheme, width], context) => {
    const { page } = await open(context, { colorScheme, width });
    await compare(page);
    await page.screenshot({ path: join(screenshots, `page-${colorScheme}-${width}.png`), fullPage: true });
    const sideways = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
    expect(sideways).toBe(0);
  });
});

test('its files allow nothing from elsewhere', async () => {
  for (const path of ['/', '/page.css', '/page.js']) {
    const { headers, text } = await get(running.url + path);
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(text).not.toMatch(/https?:\/\//);
  }
  expect((await post(`${running.url}/`, { inputs: 'x' })).status).toBe(200);
});
