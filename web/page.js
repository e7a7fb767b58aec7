/** The page: texts in, tokens and cosines out, over the same routes that clients use. */

const samples = [
  'How do I reset my password?',
  'I forgot my login and cannot sign in.',
  'The invoice for March is missing.',
  'Where can I download last month’s bill?',
  'Unaffordable antidisestablishmentarianism, naïvely tokenized.',
];

/** More would make a map nobody can read. */
const mostTexts = 24;

const element = (id) => document.getElementById(id);
const [form, texts, model, key, status] = ['form', 'texts', 'model', 'key', 'status'].map(element);

let limits = new Map();

/** Makes an element with its text set as text, never as markup. */
function make(name, { text, className, title } = {}, ...children) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className !== undefined) made.className = className;
  if (title !== undefined) made.title = title;
  made.append(...children);
  return made;
}

async function ask(path, body) {
  const headers = { 'content-type': 'application/json' };
  if (key.value !== '') headers.authorization = `Bearer ${key.value}`;
  const response = await fetch(
    path,
    body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) },
  );
  const answer = await response.json();
  if (response.ok) return answer;
  if (response.status === 401) element('key-label').hidden = false;
  throw new Error(answer.error?.message ?? answer.error ?? `status ${response.status}`);
}

function say(text, failed = false) {
  status.textContent = text;
  status.classList.toggle('failed', failed);
}

async function loadFacts() {
  const info = await ask('info');
  const models = info.models.filter((each) => each.model_type.embedding !== undefined);
  limits = new Map(models.map((each) => [each.model_id, each.max_input_length]));
  model.replaceChildren(...models.map((each) => make('option', { text: each.model_id })));
  element('model-label').hidden = models.length < 2;
  const [first] = models;
  element('facts').textContent =
    first === undefined
      ? `${info.model_id} · a reranker: POST /rerank. This page tries embedding models, of which this server has none`
      : `${first.model_id} · ${first.dimensions} dimensions · up to ${first.max_input_length} tokens · ${first.model_dtype} on ${first.device}`;
}

/** base64 of little-endian float32, as OpenAI's clients ask for it. */
function decode(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true));
}

function cosine(a, b) {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}

function tokenElement({ id, token, special }, isBeyond) {
  const isPiece = !special && token.startsWith('##');
  const className = ['token', special && 'special', isBeyond && 'beyond'].filter(Boolean).join(' ');
  return { isPiece, node: make('span', { text: isPiece ? token.slice(2) : token, className, title: `id ${id}` }) };
}

/** The closing special token stays when a text is cut, so that the limit leaves room for one token less. */
function isBeyond(i, count, limit) {
  return count > limit && i >= limit - 1 && i < count - 1;
}

function showTokens(lists, limit) {
  const rows = lists.map((tokens, row) => {
    const words = make('div', { className: 'words' });
    for (const [i, token] of tokens.entries()) {
      const { isPiece, node } = tokenElement(token, isBeyond(i, tokens.length, limit));
      if (isPiece && words.lastElementChild !== null) words.lastElementChild.append(node);
      else words.append(make('span', { className: 'word' }, node));
    }
    const isCut = tokens.length > limit;
    const count = isCut ? `${limit} of ${tokens.length} tokens` : `${tokens.length} tokens`;
    return make(
      'li',
      {},
      make('span', { text: String(row + 1), className: 'number' }),
      words,
      make('span', { text: count, className: isCut ? 'count cut' : 'count' }),
    );
  });
  element('tokens').replaceChildren(...rows);
}

/** From paper to accent over the range there is: of most models every cosine is high, and the differences count. */
function colour(value, least) {
  const share = least >= 1 ? 1 : Math.max(0, (value - least) / (1 - least));
  return {
    background: `color-mix(in oklab, var(--accent) ${Math.round(share * 100)}%, var(--low))`,
    color: share > 0.55 ? 'var(--on-accent)' : 'var(--ink)',
  };
}

function showMap(lines, vectors) {
  const values = vectors.map((a) => vectors.map((b) => cosine(a, b)));
  const least = Math.min(...values.flat());
  const tell = (i, j) => {
    element('pair').textContent = `${values[i][j].toFixed(4)}  “${lines[i]}” and “${lines[j]}”`;
  };
  const head = make('tr', {}, make('td'), ...lines.map((_, j) => make('th', { text: String(j + 1) })));
  const body = lines.map((line, i) => {
    const cells = values[i].map((value, j) => {
      const cell = make('td', { text: value.toFixed(2) });
      Object.assign(cell.style, colour(value, least));
      cell.tabIndex = 0;
      cell.addEventListener('pointerenter', () => tell(i, j));
      cell.addEventListener('focus', () => tell(i, j));
      return cell;
    });
    return make('tr', {}, make('th', { text: `${i + 1}  ${line}`, title: line }), ...cells);
  });
  element('heat-map').replaceChildren(make('thead', {}, head), make('tbody', {}, ...body));
  element('pair').textContent = '';
}

async function compare() {
  const lines = texts.value
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length === 0) return say('Write some texts first.', true);
  if (lines.length > mostTexts) return say(`At most ${mostTexts} texts; there are ${lines.length}.`, true);
  if (limits.size === 0) await loadFacts();
  const name = model.value;
  const began = performance.now();
  const [tokens, embeddings] = await Promise.all([
    ask('tokenize', { inputs: lines, model: name }),
    ask('v1/embeddings', { input: lines, model: name, encoding_format: 'base64' }),
  ]);
  const milliseconds = performance.now() - began;
  showTokens(tokens, limits.get(name));
  showMap(
    lines,
    embeddings.data.map(({ embedding }) => decode(embedding)),
  );
  element('results').hidden = false;
  say(`${lines.length} texts, ${embeddings.usage.total_tokens} tokens, ${milliseconds.toFixed(0)} ms`);
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  element('compare').disabled = true;
  say('…');
  try {
    await compare();
  } catch (error) {
    say(error.message, true);
  } finally {
    element('compare').disabled = false;
  }
});

texts.value = samples.join('\n');
loadFacts().catch((error) => {
  element('facts').textContent = '';
  say(error.message, true);
});
