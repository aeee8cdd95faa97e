"use strict";

// ---------------------------------------------------------------- what the file holds

const byId = id => document.getElementById(id);
const meta = JSON.parse(byId("meta").textContent);
const NONE = 2 ** (8 * meta.width) - 1;
const CODE = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array }[meta.width];
const ACTIONS = ["relabel", "keep", "drop", "unsure"];
const UNCHECKED = 0, DECIDED = 1, BEFORE = 2;

let early = null;         // what the first cards need, until the columns are read
let columns = null;       // arrays over all rows
let keyText = "", lowerText = "", keyStarts = null, lowerStarts = null;
let groupOf = null, groupStarts = [];
const evidence = new Map();
const mark = new Uint8Array(meta.count);

async function unpack(name) {
  const block = byId(`data-${name}`);
  if (!block) return new Uint8Array(0);
  const text = block.textContent;
  block.remove();
  let packed;
  if (Uint8Array.fromBase64) packed = Uint8Array.fromBase64(text);
  else {
    const characters = atob(text);
    packed = new Uint8Array(characters.length);
    for (let i = 0; i < packed.length; i++) packed[i] = characters.charCodeAt(i);
  }
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function unpackJson(name) {
  const bytes = await unpack(name);
  return bytes.length ? JSON.parse(new TextDecoder().decode(bytes)) : null;
}

async function unpackAs(Type, name) {
  return new Type((await unpack(name)).buffer);
}

function addEvidence(block) {
  if (block) block.rows.forEach((row, index) => evidence.set(row, { block, index }));
}

function evidenceOf(row, kind) {
  const place = evidence.get(row);
  return (place && place.block[kind] && place.block[kind][place.index]) || null;
}

function lineStarts(text) {
  const starts = new Uint32Array(meta.count + 1);
  for (let row = 0, at = 0; row < meta.count; row++) {
    starts[row] = at;
    const end = text.indexOf("\n", at);
    at = (end < 0 ? text.length : end) + 1;
  }
  starts[meta.count] = text.length + 1;
  return starts;
}

function keyOf(row) {
  if (columns) return keyText.slice(keyStarts[row], keyStarts[row + 1] - 1);
  return early.keys ? early.keys[early.place.get(row)] : String(row);
}

function lookUp(row) {
  const source = columns || early, at = columns ? row : early.place.get(row);
  const named = value => (value === NONE ? -1 : value);
  const share = value => (value === 255 ? null : value / 254);
  return {
    row,
    key: keyOf(row),
    given: source.given[at],
    suggested: named(source.suggested[at]),
    second: named(source.second[at]),
    score: source.score[at] / 65535,
    pGiven: share(source.pGiven[at]),
    pSuggested: share(source.pSuggested[at]),
    pSecond: share(source.pSecond[at]),
  };
}

const isKnown = row => columns !== null || early.place.has(row);
const className = number => (number < 0 ? "" : meta.classes[number]);

async function readEarly() {
  early = await unpackJson("early");
  early.place = new Map(early.rows.map((row, place) => [row, place]));
  addEvidence(early.evidence);
  list = Uint32Array.from(early.order);
  render();
  performance.mark("card");
}

async function readColumns() {
  await started;
  addEvidence(await unpackJson("evidence"));
  const [given, suggested, second, score, pGiven, pSuggested, pSecond, order, before, twins, hashes, keys] =
    await Promise.all([
      ...["given", "suggested", "second"].map(name => unpackAs(CODE, name)),
      unpackAs(Uint16Array, "score"),
      ...["pGiven", "pSuggested", "pSecond"].map(unpack),
      ...["order", "before", "twins"].map(name => unpackAs(Uint32Array, name)),
      unpack("hashes"),
      unpack("keys"),
    ]);
  keyText = meta.keyed ? new TextDecoder().decode(keys) : Array.from({ length: meta.count }, (_, row) => row).join("\n");
  keyStarts = lineStarts(keyText);
  columns = { given, suggested, second, score, pGiven, pSuggested, pSecond, order, before, twins, hashes };
  for (const row of before) mark[row] = BEFORE;
  readGroups(twins);
  restore();
  makeQueues();
  chooseQueue("suspicious");
  performance.mark("ready");
  setTimeout(() => {
    lowerText = keyText.toLowerCase();
    lowerStarts = lowerText.length === keyText.length ? keyStarts : lineStarts(lowerText);
  });
}

// Rows with equals come group after group; then the number of each one's group.
function readGroups(twins) {
  if (!twins.length) return;
  const half = twins.length / 2;
  groupOf = new Int32Array(meta.count).fill(-1);
  for (let i = 0; i < half; i++) {
    const group = twins[half + i];
    groupOf[twins[i]] = group;
    if (group === groupStarts.length) groupStarts.push(i);
  }
  groupStarts.push(half);
}

function twinsOf(row) {
  const group = groupOf ? groupOf[row] : -1;
  return group < 0 ? [] : columns.twins.subarray(groupStarts[group], groupStarts[group + 1]);
}

// ---------------------------------------------------------------- queues and filter

const queues = { suspicious: null, calibrate: null, pair: null, duplicates: null };
const drawOf = new Map();
if (meta.draws) meta.draws.rows.forEach((row, place) => drawOf.set(row, place));

let queue = "suspicious";
let list = new Uint32Array(0);   // the rows of the queue that the filter lets through
let at = 0;                      // the current one's place in it
let anchor = null;               // where a selection with Shift began
const picked = new Set();        // the rows that are selected, where it is more than the current one

const isOpen = row => mark[row] !== BEFORE;
// The given label against the suggestion: only where the model prefers the latter is the pair a suspicion.
const isPreferred = row => columns.suggested[row] !== NONE && columns.pSuggested[row] > columns.pGiven[row];
const pairOf = row => columns.given[row] * meta.classes.length + columns.suggested[row];

function makeQueues() {
  const { order, before } = columns;
  queues.suspicious = before.length ? order.filter(isOpen) : order;
  queues.calibrate = meta.draws ? Uint32Array.from(meta.draws.rows.filter(isOpen)) : new Uint32Array(0);
  queues.duplicates = disagreeing();
  const counts = new Map();
  for (let row = 0; row < meta.count; row++)
    if (isOpen(row) && isPreferred(row)) counts.set(pairOf(row), (counts.get(pairOf(row)) || 0) + 1);
  const pairs = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 1000);
  const size = meta.classes.length;
  byId("pair").replaceChildren(...pairs.map(([pair, count]) =>
    el("option", { value: pair }, `${className(Math.floor(pair / size))} → ${className(pair % size)} (${number(count)})`)));
  for (const [id, first] of [["by-given", "any given"], ["by-suggested", "any suggestion"]])
    byId(id).replaceChildren(el("option", { value: "" }, first),
      ...meta.classes.map((name, place) => el("option", { value: place }, name)));
  byId("queues").querySelector("[data-queue=calibrate]").hidden = !queues.calibrate.length;
  byId("queues").querySelector("[data-queue=pair]").hidden = !pairs.length;
  byId("queues").querySelector("[data-queue=duplicates]").hidden = !queues.duplicates.length;
}

// Groups whose labels differ, the one with the most suspicious label first.
function disagreeing() {
  if (!groupOf) return new Uint32Array(0);
  const found = [], seen = new Uint8Array(groupStarts.length);
  for (const row of columns.order) {
    const group = groupOf[row];
    if (group < 0 || seen[group]) continue;
    seen[group] = 1;
    const members = twinsOf(row);
    if (members.some(each => columns.given[each] !== columns.given[row])) found.push(...members.filter(isOpen));
  }
  return Uint32Array.from(found);
}

function queueRows() {
  if (queue !== "pair") return queues[queue];
  const pair = Number(byId("pair").value);
  return queues.suspicious.filter(row => pairOf(row) === pair && isPreferred(row));
}

// Which rows have a text in their key: one search through all keys, not one for each.
function rowsWithText(text) {
  const found = new Uint8Array(meta.count), sought = text.toLowerCase();
  let row = 0, place = lowerText.indexOf(sought);
  while (place >= 0) {
    let step = 1;
    while (row + step < meta.count && lowerStarts[row + step] <= place) step *= 2;
    let low = row, high = Math.min(row + step, meta.count);
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (lowerStarts[middle] <= place) low = middle; else high = middle;
    }
    row = low;
    found[row] = 1;
    if (row + 1 >= meta.count) break;
    place = lowerText.indexOf(sought, lowerStarts[row + 1]);
  }
  return found;
}

function filtered() {
  const rows = queueRows(), text = byId("text").value, given = byId("by-given").value;
  const suggested = byId("by-suggested").value, unchecked = byId("unchecked").checked;
  if (!text && given === "" && suggested === "" && !unchecked) return rows;
  const has = text ? rowsWithText(text) : null, kept = new Uint32Array(rows.length);
  let count = 0;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place];
    if (unchecked && mark[row] !== UNCHECKED) continue;
    if (has && !has[row]) continue;
    if (given !== "" && columns.given[row] !== Number(given)) continue;
    if (suggested !== "" && columns.suggested[row] !== Number(suggested)) continue;
    kept[count++] = row;
  }
  return kept.subarray(0, count);
}

function refilter(row = null) {
  list = filtered();
  select(null);
  const place = row === null ? -1 : list.indexOf(row);
  at = place >= 0 ? place : Math.max(0, nextUnchecked(-1));
  base = 0;
  render(true);
}

function chooseQueue(name, row = null) {
  queue = name;
  for (const button of byId("queues").children) button.setAttribute("aria-pressed", button.dataset.queue === name);
  byId("pair-choice").hidden = name !== "pair";
  refilter(row);
}

function nextUnchecked(from) {
  for (let place = from + 1; place < list.length; place++) if (mark[list[place]] === UNCHECKED) return place;
  for (let place = 0; place <= from && place < list.length; place++) if (mark[list[place]] === UNCHECKED) return place;
  return -1;
}

// ---------------------------------------------------------------- decisions

const decisions = new Map();     // by row, the latest last
const unsaved = new Set();       // rows whose decision no file has
const undos = [];
const recent = [];               // classes that were chosen by name

function put(row, decision) {
  decisions.delete(row);
  if (decision) decisions.set(row, decision);
  mark[row] = decision ? DECIDED : UNCHECKED;
}

function drawnIn(row) {
  const place = drawOf.get(row), { stratum, sizes, probability } = meta.draws;
  return { queue: `calibrate ${stratum[place] + 1} of ${sizes.length}`, probability: probability[place] };
}

// Another audit of the same labels has drawn others, from other strata: what was decided there says nothing of these.
function isOfThisDraw(row, decision) {
  if (decision.probability === null || !drawOf.has(row)) return false;
  const here = drawnIn(row);
  return decision.queue === here.queue && Math.abs(decision.probability / here.probability - 1) < 1e-6;
}

function decide(rows, choose) {
  const change = { queue, current: list[at], before: [] }, time = Date.now();
  let last = -1, done = 0, first = null;
  for (const row of rows) {
    const label = lookUp(row), chosen = choose(label);
    if (!chosen) continue;
    const old = decisions.get(row), isDraw = queue === "calibrate" && drawOf.has(row);
    // What was drawn stays drawn, wherever it is decided again.
    const place = isDraw ? drawnIn(row)
      : old && old.probability !== null ? { queue: old.queue, probability: old.probability } : { queue, probability: null };
    change.before.push([row, old]);
    put(row, { ...chosen, ...place, time, who: byId("reviewer").value.trim() || null });
    unsaved.add(row);
    if (isDraw) last = Math.max(last, drawOf.get(row));
    first = first || { label, chosen };
    done++;
  }
  if (!done) return say("There is no such suggestion");
  if (last >= 0) countDraws(last, change);
  undos.push(change);
  keepSoon();
  const what = done > 1 ? `${number(done)} labels` : first.label.key;
  const to = { relabel: `→ ${className(first.chosen.class)}`, keep: "kept", drop: "dropped", unsure: "unsure" };
  const same = done === 1 || rows.every(row => decisions.get(row)?.class === first.chosen.class);
  say(`${what}: ${same || first.chosen.action !== "relabel" ? to[first.chosen.action] : "suggestions accepted"}`);
  goOn();
}

// Draws that were decided in another queue count for the estimate once the calibrate queue has come to them. Counted
// before, the suspicious ones would be counted first, and the estimate would be too high.
function countDraws(last, change) {
  const changed = new Set(change.before.map(([row]) => row)), { rows } = meta.draws;
  const all = rows.every(row => mark[row] !== UNCHECKED);
  for (let place = 0; place < (all ? rows.length : last); place++) {
    const decision = decisions.get(rows[place]);
    if (!decision || isOfThisDraw(rows[place], decision)) continue;
    if (!changed.has(rows[place])) change.before.push([rows[place], { ...decision }]);
    Object.assign(decision, drawnIn(rows[place]));
    unsaved.add(rows[place]);
  }
}

function goOn() {
  const next = nextUnchecked(at);
  select(null);
  if (byId("unchecked").checked) {
    let kept = 0;    // `list` is the filter's own array here, not that of the queue
    at = 0;
    for (let place = 0; place < list.length; place++) {
      if (place === next) at = kept;
      if (mark[list[place]] === UNCHECKED) list[kept++] = list[place];
    }
    list = list.subarray(0, kept);
  } else if (next >= 0) at = next;
  render();
}

function undo() {
  const change = undos.pop();
  if (!change) return say("There is nothing to undo");
  for (const [row, old] of change.before.reverse()) {
    put(row, old);
    unsaved.add(row);
  }
  keepSoon();
  say(change.before.length > 1 ? `Undone for ${number(change.before.length)} labels` : `Undone: ${keyOf(change.before[0][0])}`);
  if (queue !== change.queue) chooseQueue(change.queue, change.current);
  else if (byId("unchecked").checked) refilter(change.current);
  else {
    select(null);
    const place = list.indexOf(change.current);
    if (place >= 0) at = place;
    render();
  }
}

const choices = {
  accept: label => (label.suggested < 0 ? null : { action: "relabel", class: label.suggested }),
  second: label => (label.second < 0 ? null : { action: "relabel", class: label.second }),
  keep: label => ({ action: "keep", class: label.given }),
  unsure: () => ({ action: "unsure", class: -1 }),
  drop: () => ({ action: "drop", class: -1 }),
};

function act(name) {
  if (!columns) return say("The labels are still being read");
  if (name === "undo") return undo();
  if (name === "previous" || name === "next") return move(name === "next" ? 1 : -1, false);
  if (!list.length) return say("There is no label here");
  if (name === "class") return askClass();
  decide(chosenRows(), choices[name]);
}

const chosenRows = () => (picked.size ? [...picked] : [list[at]]);

function select(rows) {
  picked.clear();
  if (rows === null) anchor = null;
  else for (const row of rows) picked.add(row);
}

function move(by, extends_) {
  if (!list.length) return;
  const from = at;
  at = Math.min(Math.max(at + by, 0), list.length - 1);
  if (extends_) {
    if (anchor === null) anchor = from;
    select(list.subarray(Math.min(anchor, at), Math.max(anchor, at) + 1));
  } else select(null);
  render();
  if (extends_) say(`${number(picked.size)} selected`);
  // In the list the current option is read out anyway.
  else say(document.activeElement === byId("rows") ? "" : sentence(list[at]));
}

// ---------------------------------------------------------------- what is kept in the browser

const STORE = `noiseproof:${meta.sha}`;
let keeping = null;

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = false;
}

function keepSoon() {
  if (keeping === null) keeping = setTimeout(keep, 200);
}

function keep() {
  clearTimeout(keeping);
  keeping = null;
  const texts = [], places = new Map();
  const place = text => {
    if (!places.has(text)) places.set(text, texts.push(text) - 1);
    return places.get(text);
  };
  const rows = [];
  for (const [row, each] of decisions)
    rows.push([row, ACTIONS.indexOf(each.action), place(className(each.class)), place(each.queue), each.time,
      place(each.who), ...(each.probability === null ? [] : [each.probability])]);
  try {
    localStorage.setItem(STORE, JSON.stringify({ count: meta.count, reviewer: byId("reviewer").value, texts, rows, unsaved: [...unsaved] }));
  } catch (error) {
    notice(`This browser cannot keep what you decide (${error.name}). Save it to a file before you close the page.`);
  }
}

function restore() {
  let text = null;
  try {
    text = localStorage.getItem(STORE);
    if (text === null) return;
    takeKept(JSON.parse(text));
  } catch (error) {
    decisions.clear();
    unsaved.clear();
    for (let row = 0; row < mark.length; row++) if (mark[row] === DECIDED) mark[row] = UNCHECKED;
    if (text === null) return notice(`This browser keeps nothing for this page (${error.name}). Save what you decide to a file.`);
    notice("What this browser kept of earlier decisions cannot be read. Load the file you saved last.");
    try { localStorage.setItem(`${STORE}:unreadable`, text); } catch { /* the notice above says what to do */ }
  }
}

function takeKept(kept) {
  if (kept.count !== meta.count) throw new RangeError("other labels");
  const numbers = new Map(meta.classes.map((name, place) => [name, place]));
  for (const [row, action, name, queueName, time, who, probability = null] of kept.rows) {
    const number = kept.texts[name] === "" ? -1 : numbers.get(kept.texts[name]);
    if (number === undefined || !(row < meta.count) || !ACTIONS[action]) throw new RangeError("no decision");
    if (mark[row] !== BEFORE)
      put(row, { action: ACTIONS[action], class: number, queue: kept.texts[queueName], probability, time, who: kept.texts[who] });
  }
  for (const row of kept.unsaved) if (mark[row] !== BEFORE) unsaved.add(row);
  byId("reviewer").value = kept.reviewer;
}

// Another tab with this page has written: what it knows is taken over.
addEventListener("storage", event => {
  if (event.key !== STORE || event.newValue === null || !columns) return;
  for (const row of [...decisions.keys()]) put(row, null);
  unsaved.clear();
  undos.length = 0;
  restore();
  render();
  notice("This page is open in another tab too. Both show the same decisions; close one of them.");
});
addEventListener("pagehide", () => keeping !== null && keep());
document.addEventListener("visibilitychange", () => document.hidden && keeping !== null && keep());
addEventListener("beforeunload", event => {
  if (unsaved.size) event.preventDefault();
});

// ---------------------------------------------------------------- files of corrections

const FIELDS = ["key", "row_hash", "given", "decided", "action", "queue", "draw_probability", "reviewer", "time",
  "labels_sha256", "noiseproof"];

// The same rules as in noiseproof.formats: `printable` and `csv_text`.
function printable(text) {
  return text.replace(/[\p{C}\p{Z}]/gu, character => {
    const code = character.codePointAt(0), named = { 9: "\\t", 10: "\\n", 13: "\\r", 32: " " }[code];
    const hex = length => code.toString(16).padStart(length, "0");
    return named || (code < 256 ? `\\x${hex(2)}` : code < 65536 ? `\\u${hex(4)}` : `\\U${hex(8)}`);
  });
}

function csvCell(value) {
  if (value === null) return "";
  let text = String(value);
  if (typeof value === "string") {
    text = printable(value);
    const isNumber = /^[+-]?(\p{Nd}+\.?\p{Nd}*|\.\p{Nd}+)([eE][+-]?\p{Nd}+)?%?$/u.test(text);
    if (/^ *[=+\-@'＝＋－＠]/.test(text) && !isNumber) text = `'${text}`;
  }
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const csvText = rows => rows.map(cells => `${cells.map(csvCell).join(",")}\n`).join("");

function hashOf(row) {
  if (!columns.hashes.length) return "";
  return Array.from(columns.hashes.subarray(8 * row, 8 * row + 8), byte => byte.toString(16).padStart(2, "0")).join("");
}

function corrections() {
  const reviewer = byId("reviewer").value.trim();
  return [...decisions].map(([row, each]) => [keyOf(row), hashOf(row), className(columns.given[row]), className(each.class),
    each.action, each.queue, each.probability, printable(each.who ?? reviewer), new Date(each.time).toISOString(),
    meta.sha, meta.version]);
}

function save(name, type, text) {
  if (!columns) return say("The labels are still being read");
  const address = URL.createObjectURL(new Blob([text()], { type }));
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
  unsaved.clear();
  keepSoon();
  renderProgress();
  byId("loaded").textContent = `${count(decisions.size, "decision")} saved as ${name}, where your browser puts downloads.`;
}

const saveCsv = () => save("corrections.csv", "text/csv", () => csvText([FIELDS, ...corrections()]));
const saveJsonl = () => save("corrections.jsonl", "application/x-ndjson", () => corrections()
  .map(cells => `${JSON.stringify(Object.fromEntries(FIELDS.map((field, place) => [field, cells[place]])))}\n`).join(""));

function readCsv(text) {
  const rows = [];
  let cells = [], cell = "", quoted = false;
  const endCell = () => { cells.push(cell.startsWith("'") ? cell.slice(1) : cell); cell = ""; };
  const endRow = () => { endCell(); if (cells.length > 1 || cells[0] !== "") rows.push(cells); cells = []; };
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') { cell += c; i++; }
      else quoted = false;
    } else if (c === '"' && cell === "") quoted = true;
    else if (c === ",") endCell();
    else if (c === "\n") endRow();
    else if (c !== "\r") cell += c;
  }
  if (cell !== "" || cells.length) endRow();
  const [head = [], ...body] = rows;
  const lacking = FIELDS.filter(field => !head.includes(field));
  if (lacking.length) throw new Error(`it has no column ${lacking.join(", ")}`);
  return body.map(row => Object.fromEntries(FIELDS.map(field => [field, row[head.indexOf(field)] ?? ""])));
}

function readJsonl(text) {
  return text.split("\n").filter(line => line.trim()).map((line, place) => {
    let value = null;
    try { value = JSON.parse(line); } catch { /* told below */ }
    if (typeof value !== "object" || value === null) throw new Error(`line ${place + 1} is no JSON object`);
    return Object.fromEntries(FIELDS.map(field => [field, String(value[field] ?? "")]));
  });
}

function readCorrections(text) {
  const plain = text.replace(/^\uFEFF/, "");
  return plain.trimStart().startsWith("{") ? readJsonl(plain) : readCsv(plain);
}

function decisionOf(entry, numbers) {
  const time = Date.parse(entry.time), number = entry.decided === "" ? -1 : numbers.get(entry.decided);
  const probability = entry.draw_probability === "" ? null : Number(entry.draw_probability);
  const isDraw = /^calibrate \d+ of \d+$/.test(entry.queue);
  const fits = ACTIONS.includes(entry.action) && Number.isFinite(time) && number !== undefined
    && (isDraw ? probability > 0 : ["suspicious", "pair", "duplicates"].includes(entry.queue))
    && (number >= 0) === ["relabel", "keep"].includes(entry.action);
  return fits ? { action: entry.action, class: number, queue: entry.queue, probability: isDraw ? probability : null, time, who: entry.reviewer } : null;
}

function load(text) {
  if (!columns) return say("The labels are still being read");
  const numbers = new Map(meta.classes.map((name, place) => [name, place])), wanted = new Map();
  const told = { taken: 0, other: 0, older: 0, unreadable: 0, unmatched: 0, before: 0 };
  for (const entry of readCorrections(text)) {
    const decision = decisionOf(entry, numbers);
    if (entry.labels_sha256 !== meta.sha) told.other++;
    else if (!decision) told.unreadable++;
    else {
      if (!wanted.has(entry.key)) wanted.set(entry.key, []);
      wanted.get(entry.key).push({ entry, decision, row: -1 });
    }
  }
  if (wanted.size) for (let row = 0; row < meta.count; row++) {
    const found = wanted.get(keyOf(row));
    if (found) for (const each of found)
      if (each.row < 0 && each.entry.row_hash === hashOf(row) && each.entry.given === className(columns.given[row])) each.row = row;
  }
  for (const { decision, row } of [...wanted.values()].flat().sort((a, b) => a.decision.time - b.decision.time)) {
    const old = row < 0 ? null : decisions.get(row);
    if (row < 0) told.unmatched++;
    else if (mark[row] === BEFORE) told.before++;
    else if (old && old.time >= decision.time) told.older++;
    else {
      put(row, decision);
      unsaved.delete(row);
      told.taken++;
    }
  }
  undos.length = 0;
  keepSoon();
  refilter();
  byId("loaded").textContent = [
    `${count(told.taken, "decision")} loaded`,
    told.older && `${number(told.older)} not newer than what is here`,
    told.before && `${number(told.before)} checked before this audit`,
    told.unmatched && `${number(told.unmatched)} refused: key, hash or given label is not here`,
    told.other && `${number(told.other)} refused: made for other labels (another checksum)`,
    told.unreadable && `${number(told.unreadable)} refused: no decision of this page`,
  ].filter(Boolean).join("; ") + ".";
}

async function loadFile(file) {
  try {
    load(await file.text());
  } catch (error) {
    byId("loaded").textContent = `This is no file of corrections: ${printable(error.message).slice(0, 200)}.`;
  }
}

// ---------------------------------------------------------------- what is seen

const HEIGHT = 58;       // of a row, as in the style
const WINDOW = 20000;    // rows that the list can be scrolled over at once: browsers bound the height of an element
let base = 0;
let nodes = new Map();

// Text from the data is only ever added as text.
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== false) node.setAttribute(name, value);
  node.append(...children.filter(child => child !== null));
  return node;
}

const number = value => value.toLocaleString("en-US");
const count = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
const percent = p => (p === null ? "" : p > 0 && p < 0.01 ? "<1 %" : p < 1 && p > 0.99 ? ">99 %" : `${Math.round(100 * p)} %`);
const points = p => (100 * p).toFixed(1);
const name_ = number => el("bdi", {}, className(number));

function say(text) {
  byId("said").textContent = text;
}

function outcome(row) {
  const decision = decisions.get(row);
  if (!decision) return "unchecked";
  return { relabel: `changed to ${className(decision.class)}`, keep: "kept", drop: "dropped", unsure: "unsure" }[decision.action];
}

function sentence(row) {
  const label = lookUp(row);
  const suggested = label.suggested < 0 ? "" : `, suggested ${className(label.suggested)} ${percent(label.pSuggested)}`;
  return `${label.key}: given ${className(label.given)}${suggested}, ${outcome(row)}`;
}

// Where a key leads: never out of the folder of images, and never to a server.
function imagePath(key) {
  const parts = key.split("/");
  if (parts.includes("..") || !parts.every(Boolean)) return null;
  return [...meta.images.split("/").filter(Boolean), ...parts].map(part => (part === ".." ? part : encodeURIComponent(part))).join("/");
}

function picture(row, alt) {
  const address = evidenceOf(row, "thumbnails") || (meta.images !== null && isKnown(row) ? imagePath(keyOf(row)) : null);
  if (!address) return null;
  const image = el("img", { src: address, alt, loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(el("span", { class: "gone" }, alt ? "There is no picture at this place." : "")));
  return image;
}

function render(isNew = false) {
  showCurrent(isNew);
  renderRows();
  renderCard();
  renderProgress();
}

function showCurrent(isNew) {
  const rows = byId("rows");
  if (at < base || at >= base + WINDOW || isNew) base = Math.max(0, Math.min(at - WINDOW / 2, list.length - WINDOW));
  byId("space").style.height = `${Math.min(WINDOW, list.length - base) * HEIGHT}px`;
  const top = (at - base) * HEIGHT, height = rows.clientHeight;
  if (isNew) rows.scrollTop = Math.max(0, top - HEIGHT);
  else if (top < rows.scrollTop) rows.scrollTop = top;
  else if (top + 2 * HEIGHT > rows.scrollTop + height) rows.scrollTop = top + 2 * HEIGHT - height;
}

function scrolled() {
  const rows = byId("rows"), bottom = Math.min(WINDOW, list.length - base) * HEIGHT - rows.clientHeight;
  const by = rows.scrollTop >= bottom - HEIGHT ? Math.min(WINDOW / 2, list.length - base - WINDOW)
    : rows.scrollTop <= HEIGHT ? -Math.min(WINDOW / 2, base) : 0;
  if (by > 0 || by < 0) {
    base += by;
    rows.scrollTop -= by * HEIGHT;
  }
  renderRows();
}

function renderRows() {
  const rows = byId("rows"), space = byId("space"), seen = new Map();
  const shown = Math.min(WINDOW, list.length - base);
  const first = Math.max(0, Math.floor(rows.scrollTop / HEIGHT) - 2);
  const last = Math.min(shown, Math.ceil((rows.scrollTop + rows.clientHeight) / HEIGHT) + 2);
  for (let place = base + first; place < base + last; place++) {
    const row = list[place], decision = decisions.get(row);
    const look = `${place - base} ${place} ${list.length} ${queue} ${place === at} ${picked.has(row)} ${columns !== null} `
      + (decision ? `${decision.action} ${decision.class}` : "");
    const old = nodes.get(row);
    seen.set(row, old && old.look === look ? old : { look, node: rowNode(row, place) });
  }
  for (const [row, { node }] of nodes) if (!seen.has(row) || seen.get(row).node !== node) node.remove();
  let next = space.firstChild;
  for (const { node } of seen.values())
    if (node === next) next = next.nextSibling; else space.insertBefore(node, next);
  nodes = seen;
  if (list.length && nodes.has(list[at])) rows.setAttribute("aria-activedescendant", `row-${list[at]}`);
  else rows.removeAttribute("aria-activedescendant");
  byId("empty").hidden = list.length > 0;
  byId("empty").textContent = columns ? "No label is left here. Change the filter, or take another queue." : "Reading the labels …";
  byId("shown").textContent = columns ? `${count(list.length, "label")}` : "Reading …";
}

function rowNode(row, place) {
  const label = lookUp(row), decision = decisions.get(row), members = queue === "duplicates" ? twinsOf(row) : [];
  const starts = members.length && (place === 0 || groupOf[list[place - 1]] !== groupOf[row]);
  const to = decision ? { relabel: decision.class, keep: label.given }[decision.action] ?? -1 : label.suggested;
  const text = evidenceOf(row, "texts");
  const node = el("div", {
    id: `row-${row}`, role: "option", "data-row": row, "aria-setsize": list.length, "aria-posinset": place + 1,
    "aria-selected": String(picked.size ? picked.has(row) : place === at), "aria-label": sentence(row),
    class: ["row", place === at && "current", picked.has(row) && "picked", decision && `done ${decision.action}`, starts && "starts"].filter(Boolean).join(" "),
  },
  el("span", { class: "tick" }, decision ? { relabel: "→", keep: "✓", drop: "×", unsure: "?" }[decision.action] : ""),
  meta.images !== null || evidenceOf(row, "thumbnails") ? el("span", { class: "thumb" }, picture(row, "")) : null,
  el("span", { class: "line" },
    el("bdi", { class: "from" }, className(label.given)),
    decision && decision.action !== "relabel" ? el("span", { class: "to" }, { keep: "kept", drop: "no class fits", unsure: "unsure" }[decision.action])
      : to < 0 ? null : el("span", { class: "to" }, "→ ", name_(to))),
  el("span", { class: "p" }, decision ? "" : percent(label.pSuggested)),
  el("span", { class: "key" }, members.length ? `${members.length} equal · ` : "", el("bdi", {}, label.key), text ? el("bdi", {}, ` · ${text.slice(0, 80)}`) : null));
  node.style.transform = `translateY(${(place - base) * HEIGHT}px)`;
  return node;
}

function renderCard() {
  const card = byId("card");
  card.classList.toggle("empty", !list.length);
  if (!list.length) {
    byId("where").textContent = "";
    byId("key").textContent = columns ? "Nothing to check here" : "Reading the labels …";
    byId("media").replaceChildren();
    byId("why").replaceChildren();
    return;
  }
  const row = list[at], label = lookUp(row), decision = decisions.get(row), many = picked.size > 1;
  byId("where").replaceChildren(
    many ? el("strong", {}, `${number(picked.size)} selected: each answer is for all of them`)
      : `${number(at + 1)} of ${number(list.length)}`,
    many ? "" : ` · suspicion ${label.score.toFixed(2)}`,
    decision && !many ? el("span", { class: `tag ${decision.action}` }, outcome(row)) : "");
  byId("key").replaceChildren(el("bdi", {}, label.key));
  const values = { keep: [label.given, label.pGiven], accept: [label.suggested, label.pSuggested], second: [label.second, label.pSecond] };
  for (const button of byId("choices").children) {
    const [number, p] = values[button.dataset.act];
    button.hidden = number < 0;
    button.querySelector("bdi").textContent = many && button.dataset.act !== "keep" ? "each its own" : many ? "all of them" : className(number);
    button.querySelector(".p").textContent = many ? "" : percent(p);
    button.querySelector("i").style.setProperty("--p", many || p === null ? 0 : p);
    const isChosen = !many && decision && decision.class === number;
    button.setAttribute("aria-pressed", String(Boolean(isChosen)));
  }
  for (const button of card.querySelectorAll("[data-act=unsure], [data-act=drop]"))
    button.setAttribute("aria-pressed", String(Boolean(!many && decision && decision.action === button.dataset.act)));
  const image = picture(row, `The input ${label.key}`), text = evidenceOf(row, "texts");
  byId("media").replaceChildren(...[image, text === null ? null : el("div", { class: "text", dir: "auto", tabindex: "0" }, text)].filter(Boolean));
  byId("body").classList.toggle("pictured", image !== null);
  byId("why").replaceChildren(...[table(row, label), curve(row), neighbors(row, label), twins(row)].filter(Boolean));
}

function neighbors(row, label) {
  const near = (evidenceOf(row, "neighbors") || []).filter(each => each >= 0 && isKnown(each));
  if (!near.length) return null;
  const agrees = each => ({ [label.given]: "given", [label.suggested]: "suggested" }[each] || "");
  return el("section", { class: "near" }, el("h3", {}, "Nearest samples"), el("ol", {}, ...near.map(each => {
    const other = lookUp(each);
    return el("li", {}, picture(each, ""), el("span", {}, el("b", { class: agrees(other.given) }, name_(other.given)), el("small", {}, el("bdi", {}, other.key))));
  })));
}

function twins(row) {
  if (!columns) return null;
  const members = twinsOf(row);
  if (members.length < 2) return null;
  return el("section", { class: "near" }, el("h3", {}, `${number(members.length)} equal inputs`),
    el("ol", {}, ...Array.from(members.subarray(0, 12), each => el("li", { class: each === row ? "self" : null },
      el("span", {}, el("b", {}, name_(columns.given[each])), el("small", {}, el("bdi", {}, keyOf(each)), each === row ? " (this one)" : ""))))));
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function curve(row) {
  const all = evidenceOf(row, "curves");
  const seen = (all || []).map((p, epoch) => [epoch, p]).filter(([, p]) => p !== null);
  if (seen.length < 2) return null;
  const width = 240, height = 72, x = epoch => 4 + (epoch / (all.length - 1)) * (width - 8), y = p => 4 + (1 - p) * (height - 8);
  const [, begin] = seen[0], [lastEpoch, end] = seen[seen.length - 1];
  return el("section", { class: "curve" }, el("h3", {}, "The label’s probability, by epoch"),
    svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": `From ${percent(begin)} in the first of ${all.length} epochs to ${percent(end)} in the last; at most ${percent(Math.max(...seen.map(each => each[1])))}` },
    ...[0, 0.5, 1].map(p => svg("line", { x1: 0, x2: width, y1: y(p), y2: y(p) })),
    svg("polyline", { points: seen.map(([epoch, p]) => `${x(epoch).toFixed(1)},${y(p).toFixed(1)}`).join(" ") }),
    svg("circle", { cx: x(lastEpoch), cy: y(end), r: 3 })),
    el("small", {}, `epoch 1 to ${all.length} · now ${percent(end)}`));
}

function table(row, label) {
  const cells = evidenceOf(row, "values");
  if (!cells || !cells.length) return null;
  const head = ["", "here", "typical of ", "typical of "].map((text, place) =>
    el("th", { scope: "col" }, text, place === 2 ? name_(label.given) : place === 3 ? name_(label.suggested) : ""));
  return el("section", { class: "values" }, el("h3", {}, "Values"), el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Values" },
    el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...cells.map(([column, ...rest]) =>
      el("tr", {}, el("th", { scope: "row" }, el("bdi", {}, column)), ...rest.map(text => el("td", {}, el("bdi", {}, text)))))))));
}

// ---------------------------------------------------------------- progress

const LAST = 50;                 // decisions that say what the next ones will be
const ENOUGH_LAST = 20;
const FEW = 5;                   // wrong labels among 100 that are no longer worth it

const isWrong = decision => decision.action === "relabel" || decision.action === "drop";

function strata() {
  const { sizes, counts } = meta.draws;
  const found = sizes.map((size, place) => ({ size, checked: counts[place][0], wrong: counts[place][1], unsure: counts[place][2] }));
  for (const [row, decision] of decisions) {
    if (!isOfThisDraw(row, decision)) continue;
    const stratum = meta.draws.stratum[drawOf.get(row)];
    found[stratum].checked++;
    if (decision.action === "unsure") found[stratum].unsure++;
    else if (isWrong(decision)) found[stratum].wrong++;
  }
  countWaiting(found);
  return found;
}

// Draws that were decided before this audit because they are suspicious count in their turn, as those of this page do.
function countWaiting(found) {
  const { rows, stratum, waiting } = meta.draws;
  if (!waiting.length) return;
  let reached = rows.every(row => mark[row] !== UNCHECKED) ? rows.length : -1;
  if (reached < 0) for (const [row, decision] of decisions) if (isOfThisDraw(row, decision)) reached = Math.max(reached, drawOf.get(row));
  for (const [place, wrong, unsure] of waiting) {
    if (place >= reached) continue;
    found[stratum[place]].checked++;
    found[stratum[place]].wrong += wrong;
    found[stratum[place]].unsure += unsure;
  }
}

function renderProgress() {
  let wrong = 0, unsure = 0;
  for (const decision of decisions.values()) {
    wrong += isWrong(decision);
    unsure += decision.action === "unsure";
  }
  byId("checked").textContent = number(decisions.size);
  byId("wrong").textContent = number(wrong);
  byId("unsure").textContent = number(unsure);
  byId("unsaved").textContent = unsaved.size ? `${count(unsaved.size, "decision")} not yet in a file` : decisions.size ? "Everything is in a file." : "Nothing decided yet.";
  byId("unsaved").classList.toggle("open", unsaved.size > 0);
  if (!columns) return;
  const drawn = queues.calibrate.reduce((sum, row) => sum + (mark[row] !== UNCHECKED), 0);
  const sizes = { suspicious: number(queues.suspicious.length), calibrate: `${drawn} / ${queues.calibrate.length}`, duplicates: number(queues.duplicates.length), pair: "" };
  for (const button of byId("queues").children) button.querySelector("span").textContent = sizes[button.dataset.queue];
  renderRate(drawn);
}

function renderRate(drawn) {
  const rate = meta.draws ? estimateRate(strata()) : null, total = queues.calibrate.length;
  const [checks, width] = meta.draws ? meta.draws.enough : [];
  const enough = rate && rate.checks >= checks && (rate.high - rate.low) / 2 <= width;
  byId("rate").replaceChildren(...(rate ? [
    el("strong", {}, `${points(rate.rate)}\u00a0%`), ` between ${points(rate.low)} and ${points(rate.high)}\u00a0% (95\u00a0% interval), from ${count(rate.checks, "check")} of the calibrate queue`,
    rate.unsure ? `; ${number(rate.unsure)} unsure make it wider` : "", "."]
    : [meta.draws ? "No estimate yet: it comes from the calibrate queue alone." : "This audit drew no labels for an estimate."]));
  renderScale(rate);
  byId("bracket").textContent = meta.bracket
    ? `The predictions alone say ${points(meta.bracket[0])} to ${points(meta.bracket[1])}\u00a0%. That is no estimate: a weak model makes both too high, and the truth may lie outside.` : "";

  const last = [...decisions.values()].filter(each => each.queue === "suspicious" && each.action !== "unsure").slice(-LAST);
  const bad = last.filter(isWrong).length, expected = last.length ? Math.round((100 * bad) / last.length) : null;
  byId("next-hundred").replaceChildren(...(expected === null ? ["Check some of the most suspicious labels first."] : [
    el("strong", {}, `about ${expected}`), ` of the most suspicious: ${number(bad)} of the last ${number(last.length)} checked there were wrong (unsure left out).`]));

  const worth = last.length < ENOUGH_LAST ? `check at least ${ENOUGH_LAST} before you judge.`
    : expected < FEW ? `you can stop: fewer than ${FEW} of the next 100 are likely to be wrong.`
      : `go on; stop when fewer than ${FEW} of the next 100 are expected wrong.`;
  const sure = drawn === total ? "you can stop: all of it is checked."
    : enough ? `you can stop: the interval is within ±\u00a0${100 * width}\u00a0points.`
      : `check all ${total}, or stop when the interval is within ±\u00a0${100 * width}\u00a0points.`;
  byId("stop").replaceChildren(el("span", {}, `Most suspicious: ${worth}`), ...(total ? [el("span", {}, `Calibrate: ${sure}`)] : []));
}

function renderScale(rate) {
  if (!rate && !meta.bracket) return byId("scale").replaceChildren();
  const top = Math.min(1, 1.15 * Math.max(rate ? rate.high : 0, meta.bracket ? meta.bracket[1] : 0, 0.02));
  const x = p => (240 * p) / top, parts = [svg("line", { class: "axis", x1: 0, x2: 240, y1: 26, y2: 26 })];
  if (meta.bracket) parts.push(svg("rect", { class: "bracket", x: x(meta.bracket[0]), width: Math.max(2, x(meta.bracket[1] - meta.bracket[0])), y: 15, height: 11 }));
  if (rate) parts.push(svg("line", { class: "interval", x1: x(rate.low), x2: x(rate.high), y1: 8, y2: 8 }), svg("circle", { cx: x(rate.rate), cy: 8, r: 4.5 }));
  const label = (text, place, anchor) => svg("text", { x: place, y: 38, "text-anchor": anchor }, text);
  byId("scale").replaceChildren(svg("svg", { viewBox: "-6 0 252 40", "aria-hidden": "true" }, ...parts, label("0", 0, "start"), label(`${points(top)} %`, 240, "end")));
}

// ---------------------------------------------------------------- any class

let offered = [], active = 0;

function askClass() {
  byId("class-text").value = "";
  offerClasses();
  byId("classes").showModal();
}

function offerClasses() {
  const sought = byId("class-text").value.trim().toLowerCase(), label = lookUp(list[at]);
  const first = [label.suggested, label.second, ...recent].filter(each => each >= 0);
  const ordered = [...new Set([...first, ...meta.classes.keys()])];
  const begins = [], holds = [];
  for (const each of ordered) {
    const name = meta.classes[each].toLowerCase();
    if (name.startsWith(sought)) begins.push(each);
    else if (name.includes(sought)) holds.push(each);
  }
  const exact = begins.filter(each => meta.classes[each].toLowerCase() === sought);
  offered = [...new Set([...exact, ...begins, ...holds])];
  active = 0;
  const rest = offered.length - 50;
  byId("class-list").replaceChildren(
    ...offered.slice(0, 50).map((each, place) => el("li", { id: `class-${place}`, role: "option", "data-place": place }, name_(each), each === label.given ? el("small", {}, " given") : null)),
    ...(rest > 0 ? [el("li", { class: "note", "aria-hidden": "true" }, `and ${number(rest)} more`)] : []),
    ...(offered.length ? [] : [el("li", { class: "note" }, "No class has this name. X says that none fits.")]));
  showActive();
}

function showActive() {
  for (const option of byId("class-list").querySelectorAll("[role=option]")) option.setAttribute("aria-selected", String(Number(option.dataset.place) === active));
  const option = byId(`class-${active}`);
  if (option) {
    byId("class-text").setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  } else byId("class-text").removeAttribute("aria-activedescendant");
}

function takeClass(place) {
  const chosen = offered[place];
  if (chosen === undefined) return;
  byId("classes").close();
  if (recent.includes(chosen)) recent.splice(recent.indexOf(chosen), 1);
  recent.unshift(chosen);
  decide(chosenRows(), label => (label.given === chosen ? choices.keep(label) : { action: "relabel", class: chosen }));
}

byId("class-text").addEventListener("input", offerClasses);
byId("class-text").addEventListener("keydown", event => {
  const shown = Math.min(offered.length, 50), by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Enter") {
    event.preventDefault();
    takeClass(active);
  } else if (by && shown) {
    event.preventDefault();
    active = (active + by + shown) % shown;
    showActive();
  }
});
byId("class-list").addEventListener("click", event => {
  const option = event.target.closest("[role=option]");
  if (option) takeClass(Number(option.dataset.place));
});

// ---------------------------------------------------------------- keys and buttons

const KEYS = { enter: "accept", k: "keep", 2: "second", c: "class", u: "unsure", x: "drop", z: "undo" };
const MOVES = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const target = event.target, isText = target.matches("input:not([type=checkbox]), select, textarea");
  if (event.key === "Escape") {
    select(null);
    byId("rows").focus();
    return render();
  }
  if (isText) {
    if (event.key === "Enter" && target.id === "text") byId("rows").focus();
    return;
  }
  const isPressed = (event.key === "Enter" || event.key === " ") && target.closest("button, a");
  const name = KEYS[event.key.toLowerCase()];
  if (isPressed) return;
  if (MOVES[event.key] && !target.closest(".scroll, .text")) move(MOVES[event.key], event.shiftKey);
  else if (event.key === "/") byId("text").focus();
  else if (event.key === "?") openHelp();
  else if (name) {
    // A key that is held down answers once.
    if (!event.repeat) act(name);
  } else return;
  event.preventDefault();
});

document.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.act) act(button.dataset.act);
  if (button.dataset.queue && columns) chooseQueue(button.dataset.queue);
  leaveControl();
});

// After a pointer was used keys are for the card again: Enter does not press the same button once more.
let byPointer = false;
addEventListener("pointerdown", () => { byPointer = true; }, true);
addEventListener("keydown", () => { byPointer = false; }, true);

// Its beginning is read first, not its button to close it, which is below what a phone shows.
function openHelp() {
  byId("help").showModal();
  byId("help-head").focus();
}

function leaveControl() {
  if (byPointer && !document.querySelector("dialog[open]")) byId("rows").focus({ preventScroll: true });
}

byId("rows").addEventListener("scroll", scrolled, { passive: true });
byId("rows").addEventListener("click", event => {
  const node = event.target.closest(".row");
  if (!node) return;
  const row = Number(node.dataset.row), place = Number(node.getAttribute("aria-posinset")) - 1;
  if (event.target.closest(".tick") || event.ctrlKey || event.metaKey) {
    if (!picked.size && !event.target.closest(".tick")) picked.add(list[at]);
    if (picked.has(row)) picked.delete(row); else picked.add(row);
    at = place;
  } else if (event.shiftKey) return move(place - at, true);
  else {
    select(null);
    at = place;
  }
  render();
});

let typing = null;
byId("text").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => columns && refilter(), 60);
});
for (const id of ["by-given", "by-suggested", "unchecked", "pair"])
  byId(id).addEventListener("change", () => {
    if (columns) refilter();
    leaveControl();
  });
byId("filter").addEventListener("submit", event => event.preventDefault());
byId("open-help").addEventListener("click", openHelp);
byId("save-csv").addEventListener("click", saveCsv);
byId("save-jsonl").addEventListener("click", saveJsonl);
byId("load").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", event => {
  if (event.target.files.length) loadFile(event.target.files[0]);
  event.target.value = "";
});
byId("reviewer").addEventListener("change", keepSoon);
addEventListener("resize", () => list.length && renderRows());

addEventListener("beforeprint", () => {
  if (!columns) return;
  byId("print").replaceChildren(el("h1", {}, `${meta.title}: ${count(decisions.size, "correction")}`), el("table", {},
    el("thead", {}, el("tr", {}, ...["key", "given", "decided", "action", "reviewer"].map(text => el("th", {}, text)))),
    el("tbody", {}, ...corrections().map(([key, , given, decided, action, , , reviewer]) =>
      el("tr", {}, ...[key, given, decided, action, reviewer].map(text => el("td", {}, el("bdi", {}, text))))))));
});

byId("title").textContent = meta.title;
byId("size").textContent = `${count(meta.count, "label")}, ${count(meta.classes.length, "class").replace("classs", "classes")}`;
byId("rows").focus({ preventScroll: true });
const started = "DecompressionStream" in window ? readEarly()
  : Promise.reject(new Error("This browser is too old for this page: it needs one of 2023 or later."));
started.catch(error => notice(error.message));
