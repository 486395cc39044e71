// SPDX-License-Identifier: Apache-2.0
// Draws /topology.json once and follows /state.json each second. No text from outside ever becomes markup.
"use strict";

const POLL_MS = 1000, RETRY_MS = 2000, PATIENCE_MS = 3000;
const HISTORY = 60;        // seconds a sparkline shows
const ALARM_MS = 10000;    // how long an error keeps its edge red
const MOST_ROWS = 100;

const byId = (id) => document.getElementById(id);
const sum = (list, of) => list.reduce((total, one) => total + of(one), 0);

// --- making elements ---
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const h = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const say = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const flag = (element, name, on) => element.classList.toggle(name, on);

// --- numbers in words ---
function scaled(value, unit) {
  const prefixes = ["", "k", "M", "G", "T"];
  let step = 0;
  while (value >= 999.5 && step < prefixes.length - 1) { value /= 1000; ++step; }
  const text = step === 0 ? Math.round(value) : value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
  return `${text} ${prefixes[step]}${unit}`;
}
const bytes = (value) => scaled(value, "B");
const rate = (value) => scaled(value, "B/s");
const count = (value) => value.toLocaleString("en");
function age(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}
const errorsOf = (one) => sum(Object.values(one.errors), (n) => n);
const kindsOf = (one) => Object.entries(one.errors).map(([kind, n]) => `${count(n)} ${kind.replaceAll("_", " ")}`).join(", ");

// --- what is remembered between two answers ---
class Track {
  constructor() { this.last = null; this.up = 0; this.down = 0; this.alarm = -Infinity; this.errors = 0; this.fresh = 0; this.history = []; }
  // Takes the next figures; rates are over the time between two answers.
  take(one, now) {
    const errors = one.errors ? errorsOf(one) : 0;
    if (this.last && now > this.last.now) {
      const seconds = (now - this.last.now) / 1000;
      this.up = Math.max(0, one.received - this.last.received) / seconds;
      this.down = Math.max(0, one.sent - this.last.sent) / seconds;
      this.fresh = Math.max(0, errors - this.errors);
      if (this.fresh > 0) this.alarm = now;
    }
    this.errors = errors;
    this.failing = now - this.alarm < ALARM_MS;
    this.last = { now, received: one.received, sent: one.sent };
    this.history.push(this.up + this.down);
    if (this.history.length > HISTORY) this.history.shift();
    return this;
  }
  get rate() { return this.up + this.down; }
}
let tracks = new Map();
const trackOf = (key) => tracks.get(key) || tracks.set(key, new Track()).get(key);

// --- sparklines ---
function spark(extra = "") {
  const area = svg("path", { class: "area" }), trace = svg("path", { class: "trace" });
  const picture = svg("svg", { class: `spark ${extra}`, viewBox: "0 0 59 20", preserveAspectRatio: "none", "aria-hidden": "true" }, area, trace);
  picture.show = (values) => {
    const most = Math.max(...values, 1e-9);
    const at = values.map((value, i) => `${(HISTORY - values.length + i).toFixed(0)} ${(19.5 - 19 * value / most).toFixed(1)}`);
    const line = at.length > 1 ? `M${at.join("L")}` : "";
    trace.setAttribute("d", line);
    area.setAttribute("d", line && `${line}V20H${HISTORY - values.length}Z`);
  };
  picture.show([]);
  return picture;
}

// --- totals ---
const totals = {};
function buildTotals() {
  for (const [key, title] of [["open", "Open connections"], ["up", "From clients"], ["down", "To clients"], ["errors", "Errors, last minute"]]) {
    const value = h("strong", {}, "–"), picture = spark(key === "errors" ? "errors" : "");
    totals[key] = { value, picture, history: [] };
    byId("totals").append(h("div", { class: "tile" }, h("p", {}, title), value, picture));
  }
}
function showTotal(key, value, text) {
  const tile = totals[key];
  tile.history.push(value);
  if (tile.history.length > HISTORY) tile.history.shift();
  say(tile.value, text(tile.history));
  tile.picture.show(tile.history);
}

// --- tables ---
// columns: [title, class, make(cell) -> show(one, track)]
function buildTable(id, columns, rows, head) {
  const body = h("tbody");
  const shows = new Map();
  for (const one of rows) {
    const row = h("tr", {}, head(one));
    shows.set(one.name, columns.map(([, kind, make]) => {
      const cell = h("td", { class: kind });
      row.append(cell);
      return make(cell);
    }));
    body.append(row);
  }
  if (rows.length === 0) body.append(h("tr", {}, h("td", { class: "empty" }, "none")));
  const titles = [["Name", ""], ...columns].map(([title, kind]) => h("th", { scope: "col", class: kind }, title));
  byId(id).replaceChildren(h("thead", {}, h("tr", {}, ...titles)), body);
  return (one, track) => shows.get(one.name)?.forEach((show) => show(one, track));
}
const textCell = (text) => (cell) => (one, track) => say(cell, text(one, track));
function sparkCell(cell) {
  const picture = spark();
  cell.append(picture);
  return (one, track) => picture.show(track.history);
}
function errorCell(cell) {
  return (one, track) => {
    say(cell, count(errorsOf(one)));
    flag(cell, "bad", track.failing);
    cell.title = kindsOf(one);
  };
}
const figures = [
  ["Now", "n narrow", textCell((one, track) => rate(track.rate))],
  ["From client", "n middle", textCell((one, track) => rate(track.up))],
  ["To client", "n middle", textCell((one, track) => rate(track.down))],
  ["Last minute", "spark-cell middle", sparkCell],
  ["Received", "n wide", textCell((one) => bytes(one.received))],
  ["Sent", "n wide", textCell((one) => bytes(one.sent))],
];
let showListener, showCluster;
function buildTables() {
  const nameCell = (one, ...lines) => h("th", { scope: "row" }, h("span", { class: "who" }, one.name), ...lines.map((line) => h("span", { class: "what" }, line)));
  showListener = buildTable("listeners", [["Open", "n few", textCell((one) => count(one.active))], ["Total", "n wide", textCell((one) => count(one.begun))],
    ...figures, ["Errors", "n few", errorCell]], plan.listeners, (one) => nameCell(one, `${one.handler} on ${one.addresses.join(", ")}`));
  const toward = figures.map(([title, ...rest]) => [{ "From client": "To it", "To client": "From it", "Received": "Sent", "Sent": "Received" }[title] || title, ...rest]);
  showCluster = buildTable("clusters", [["Open", "n few", textCell((one) => count(one.uses_active))], ["Total", "n wide", textCell((one) => count(one.uses_begun))],
    ...toward, ["Errors", "n few", errorCell]], plan.clusters, (one) => {
    const head = nameCell(one, [...placesOf(one), one.protocol].filter(Boolean).join(", "));
    const pool = h("span", { class: "what pool" }), aside = h("span", { class: "what aside" });
    head.append(pool, aside);
    underCluster.set(one.name, { pool, aside });
    return head;
  });
}
const underCluster = new Map();
const some = (n, what) => `${count(n)} ${what}${n === 1 ? "" : "s"}`;
function showUnderCluster(one) {
  const { pool, aside } = underCluster.get(one.name);
  say(pool, one.pool ? `pool: ${some(one.pool.exchanges, "exchange")} on ${some(one.pool.connections, "connection")}` : "");
  say(aside, one.endpoints.filter((endpoint) => endpoint.aside > 0).map((endpoint) => `${endpoint.address} is set aside`).join(", "));
}
const placesOf = (cluster) => cluster.requested ? ["where the client asks"] : cluster.endpoints.map((endpoint) => endpoint.address);

const tunnelRows = new Map();
function buildTunnels() {
  const titles = [["From", ""], ["To", "middle"], ["Listener", "wide"], ["Age", "n"], ["From client", "n middle"], ["To client", "n middle"], ["Now", "n"], ["Waits for", "wide"]];
  byId("tunnels").replaceChildren(h("thead", {}, h("tr", {}, ...titles.map(([title, kind]) => h("th", { scope: "col", class: kind }, title)))), h("tbody"));
}
function makeTunnel() {
  const who = h("span", { class: "who" }), to = h("span", { class: "who" }), via = h("span", { class: "what" });
  const below = h("span", { class: "what narrow" });
  const cells = ["wide soft", "n", "n middle", "n middle", "n", "wide soft"].map((kind) => h("td", { class: kind }));
  const row = h("tr", {}, h("td", {}, who, below), h("td", { class: "middle" }, to, via), ...cells);
  row.show = (one, track) => {
    say(who, one.peer);
    say(to, one.target || one.upstream || one.cluster || "–");
    say(below, `to ${to.textContent}`);
    say(via, one.target && one.upstream ? `by ${one.upstream}` : "");
    const texts = [one.listener, age(one.age), bytes(one.received), bytes(one.sent), rate(track.rate), one.waits];
    cells.forEach((cell, i) => say(cell, texts[i]));
  };
  return row;
}
function showTunnels(state) {
  const internal = new Set(plan.listeners.filter((one) => one.internal).map((one) => one.name));
  const wanted = state.tunnels.rows.filter((one) => byId("hops").checked || !internal.has(one.listener));
  const seen = new Set(), shown = [];
  for (const one of wanted.slice(0, MOST_ROWS)) {
    const born = Math.round((state.now - one.age) / 2000);  // an age and a clock differ by a little from one answer to the next
    let key = [one.listener, one.peer, one.target, one.kind].join(" ");
    if (one.kind === "request") key += born;
    while (seen.has(key)) key += "'";
    seen.add(key);
    const row = tunnelRows.get(key) || tunnelRows.set(key, makeTunnel()).get(key);
    row.show(one, trackOf(`tunnel ${key}`).take(one, state.now));
    shown.push(row);
  }
  for (const key of tunnelRows.keys()) if (!seen.has(key)) { tunnelRows.delete(key); tracks.delete(`tunnel ${key}`); }
  const body = byId("tunnels").tBodies[0];
  if (shown.length === 0) {
    if (!body.querySelector(".empty")) body.replaceChildren(h("tr", {}, h("td", { class: "empty" }, "nothing")));
  } else if (shown.length !== body.rows.length || shown.some((row, i) => body.rows[i] !== row)) {
    body.replaceChildren(...shown);
  }
  const all = state.tunnels.total;
  say(byId("tunnels-title"), all === 0 ? "Under way" : `Under way: ${count(all)}${internal.size > 0 ? " with internal hops" : ""}`);
  const hidden = all > state.tunnels.rows.length || wanted.length > MOST_ROWS;
  say(byId("more"), (hidden ? `The youngest ${count(shown.length)} are shown. ` : "") + (state.tunnels.complete ? "" : "A worker has not answered in time."));
}

// --- topology ---
const LISTENER = 186, CLUSTER = 164, GAP = 92, MOST_GAP = 128, LANE = 44, BETWEEN = 14, HEAD = 44, PAD = 9, INDENT = 16;
let plan = { listeners: [], clusters: [] }, graph = null;

// Nodes with their rows; an edge leaves a row and enters a node.
function makeGraph() {
  const nodes = new Map();
  for (const one of plan.listeners) {
    const rows = one.ways.map((way) => ({ text: [way.what, way.does].filter(Boolean).join(" · "), to: way.cluster && `c ${way.cluster}`, key: `${one.name} ${way.cluster}` }));
    nodes.set(`l ${one.name}`, { name: one.name, kind: one.internal ? "listener internal" : "listener", line: one.internal ? "internal" : one.addresses.join(", "), tag: one.handler, rows, track: `listener ${one.name}` });
  }
  for (const one of plan.clusters) {
    const rows = one.requested ? [{ text: "where the client asks" }] : one.endpoints.map((endpoint) => (
      { text: endpoint.address, mono: true, to: endpoint.listener && `l ${endpoint.listener}`, key: `cluster ${one.name}` }));
    nodes.set(`c ${one.name}`, { name: one.name, kind: "cluster", line: one.protocol ? `cluster, ${one.protocol}` : "cluster", tag: "", rows, track: `cluster ${one.name}` });
  }
  const edges = [];
  for (const node of nodes.values()) {
    node.row = node.rows.filter((row) => row.to).length > 1 ? 32 : 22;  // labels stand above and below their edge
    node.height = HEAD + node.rows.length * node.row + (node.rows.length > 0 ? 4 : 0);
    node.next = [];
    node.before = [];
  }
  for (const node of nodes.values()) {
    node.rows.forEach((row, at) => {
      const to = row.to && nodes.get(row.to);
      if (!to) return;
      edges.push({ from: node, to, at, key: row.key });
      if (!node.next.includes(to)) { node.next.push(to); to.before.push(node); }
    });
  }
  return { nodes: [...nodes.values()], edges };
}

// Nodes that hang together, in the order of the plan, each with its column.
function partsOf({ nodes }) {
  const depth = (node, seen = 0) => seen > nodes.length ? 0 : node.depth ??= Math.max(0, ...node.before.map((one) => depth(one, seen + 1) + 1));
  nodes.forEach((node) => depth(node));
  const parts = [], placed = new Set();
  for (const start of nodes) {
    if (placed.has(start)) continue;
    const part = [], queue = [start];
    placed.add(start);
    while (queue.length > 0) {
      const node = queue.shift();
      part.push(node);
      for (const one of [...node.next, ...node.before]) if (!placed.has(one)) { placed.add(one); queue.push(one); }
    }
    parts.push(part.sort((a, b) => nodes.indexOf(a) - nodes.indexOf(b)));
  }
  return parts;
}

// Columns from left to right, a node beside the first it leads to. Returns the height.
function layColumns(part, widths, gap, left, top) {
  const edge = (column) => sum(widths.slice(0, column), (width) => width + gap);
  const next = [], done = new Set();
  const place = (node, y) => {
    done.add(node);
    let at = Math.max(y, next[node.depth] ?? top);
    const first = node.next.filter((one) => !done.has(one)).map((one) => place(one, at))[0];
    at = Math.max(at, first ?? at, next[node.depth] ?? top);
    Object.assign(node, { x: left + edge(node.depth), y: at, width: widths[node.depth] });
    next[node.depth] = at + node.height + BETWEEN;
    return at;
  };
  for (const node of part) if (node.before.length === 0) place(node, top);
  return Math.max(...next.filter(Boolean)) - BETWEEN - top;
}

// Everything below one another, indented: for narrow windows and long chains.
function layRows(parts, width) {
  let y = 0;
  const done = new Set();
  const place = (node, level, parent = null) => {
    if (done.has(node)) return;
    done.add(node);
    node.parent = parent;
    const x = Math.min(level, 6) * INDENT;
    Object.assign(node, { x, y, width: Math.min(width - x, 420) });
    y += node.height + BETWEEN;
    node.next.forEach((one) => place(one, level + 1, node));
  };
  for (const part of parts) for (const node of part) if (node.before.length === 0) place(node, 0);
  return y - BETWEEN;
}

function lay(width) {
  const parts = partsOf(graph);
  const longest = Math.max(...parts.map(columnsOf));
  graph.stacked = widthOf(longest, GAP) > width;
  if (graph.stacked) return layRows(parts, width);
  let height = 0;
  for (let columns = longest; columns > 0; --columns) {
    const alike = parts.filter((part) => columnsOf(part) === columns);
    if (alike.length > 0) height = layLanes(alike, columns, width, height > 0 ? height + BETWEEN : 0);
  }
  return height;
}
const columnsOf = (part) => 1 + Math.max(...part.map((node) => node.depth));
const cardWidths = (columns) => Array.from({ length: columns }, (_, column) => column % 2 === 0 ? LISTENER : CLUSTER);
const widthOf = (columns, gap) => sum(cardWidths(columns), (one) => one) + (columns - 1) * gap;

// Parts of one length side by side, each below the shortest column so far. Returns where they end.
function layLanes(parts, columns, width, top) {
  const lanes = Math.max(1, Math.min(parts.length, Math.floor((width + LANE) / (widthOf(columns, GAP) + LANE))));
  const room = (width + LANE) / lanes - LANE - widthOf(columns, 0);
  const gap = columns > 1 ? Math.min(MOST_GAP, room / (columns - 1)) : 0;
  const ends = new Array(lanes).fill(top - BETWEEN);
  for (const part of parts) {
    const shortest = ends.indexOf(Math.min(...ends)), start = ends[shortest] + BETWEEN;
    ends[shortest] = start + layColumns(part, cardWidths(columns), gap, shortest * (widthOf(columns, gap) + LANE), start);
  }
  return Math.max(...ends);
}

// The fonts of page.css, to measure with.
const pen = document.createElement("canvas").getContext("2d");
const mono = getComputedStyle(document.documentElement).getPropertyValue("--mono"), sans = getComputedStyle(document.body).fontFamily;
const FONTS = { name: `600 11.5px ${mono}`, mono: `11px ${mono}`, "": `11.5px ${sans}`, label: `600 11.5px ${sans}` };
function widthIn(text, kind) {
  pen.font = FONTS[kind];
  return pen.measureText(text).width;
}
function fit(text, room, kind) {
  if (widthIn(text, kind) <= room) return text;
  let length = Math.floor(text.length * room / widthIn(text, kind)) + 2;
  while (length > 1 && widthIn(`${text.slice(0, length)}…`, kind) > room) --length;
  return `${text.slice(0, length)}…`;
}
const rowY = (node, at) => node.y + HEAD + at * node.row + node.row / 2 + 1;

function drawNode(node) {
  const room = node.width - 2 * PAD;
  const text = (y, kind, content, extra = {}) => svg("text", { x: node.x + PAD, y, class: kind, ...extra }, content);
  const group = svg("g", { class: `node ${node.kind}` }, svg("title", {}, [node.name, node.tag, node.line, ...node.rows.map((row) => row.text)].filter(Boolean).join("\n")),
    svg("rect", { class: "box", x: node.x + .5, y: node.y + .5, width: node.width - 1, height: node.height - 1, rx: node.kind === "cluster" ? 12 : 5 }),
    text(node.y + 18, "name", fit(node.name, room, "name")));
  const tagRoom = node.tag ? widthIn(node.tag, "") + 4 : 0, kind = node.kind === "cluster" ? "" : "mono";
  group.append(text(node.y + 34, kind, fit(node.line, room - tagRoom, kind)));
  if (node.tag) group.append(svg("text", { x: node.x + node.width - PAD, y: node.y + 34, "text-anchor": "end" }, node.tag));
  if (node.rows.length > 0) group.append(svg("line", { class: "rule", x1: node.x + 1, x2: node.x + node.width - 1, y1: node.y + HEAD - .5, y2: node.y + HEAD - .5 }));
  node.rows.forEach((row, at) => {
    const font = row.mono ? "mono" : "";
    const shown = text(rowY(node, at) + 4, font, fit(row.text, room, font));
    // The label of its edge stands in the same row.
    row.besides = (label) => say(shown, fit(row.text, label ? room - widthIn(label, "label") - PAD : room, font));
    group.append(shown);
  });
  node.group = group;
  return group;
}

function drawEdge(edge) {
  const { from, to, at } = edge;
  const y = rowY(from, at);
  let path = "", labels;
  if (graph.stacked) {
    const x = from.x + 7, end = to.y + 20;
    const turn = 5;
    // What stands elsewhere already is named by the row alone.
    if (to.parent === from) path = to.x > x ? `M${x} ${from.y + from.height}V${end - turn}Q${x} ${end} ${x + turn} ${end}H${to.x}` : `M${x} ${from.y + from.height}V${to.y}`;
    labels = [{ x: from.x + from.width - PAD, y: y + 4, "text-anchor": "end" }];
  } else {
    const start = from.x + from.width, end = to.x, target = to.y + 22, bend = end - 26;
    path = `M${start} ${y}H${bend}C${end - 10} ${y} ${bend + 10} ${target} ${end} ${target}`;
    labels = [{ x: start + 5, y: y - 5 }, { x: start + 6, y: y + 15 }];
  }
  edge.line = svg("path", { class: "edge", d: path });
  edge.pulse = svg("path", { class: "pulse", d: path });
  edge.labels = labels.map((at) => svg("text", { class: "label", ...at }));
}

let drawnWidth = 0;
function drawTopology() {
  const box = byId("topology"), style = getComputedStyle(box);
  const width = Math.floor(box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight));
  if (!graph || width <= 0 || width === drawnWidth) return;
  drawnWidth = width;
  const height = lay(width);
  graph.edges.forEach(drawEdge);
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": "topology-title topology-text" },
    svg("desc", { id: "topology-text" }, `${plan.listeners.length} listeners and ${plan.clusters.length} clusters; the tables below say the same`));
  picture.append(...graph.edges.flatMap((edge) => [edge.line, edge.pulse]), ...graph.nodes.map(drawNode), ...graph.edges.flatMap((edge) => edge.labels));
  box.replaceChildren(picture);
  if (latest) showTopology();
}

function showTopology() {
  for (const edge of graph.edges) {
    const track = tracks.get(`edge ${edge.key}`) || tracks.get(edge.key);
    if (!track) continue;
    const open = track.open > 0, flows = track.rate >= 1;
    flag(edge.line, "open", open || flows);
    flag(edge.line, "errors", track.failing);
    flag(edge.pulse, "flows", flows);
    const width = (1.5 + Math.min(3, Math.log10(1 + track.rate / 1000) / 2)).toFixed(2);
    edge.line.style.strokeWidth = edge.pulse.style.strokeWidth = width;
    const failed = track.failing && !(flows && open) ? `${count(track.errors)} failed` : "";
    const parts = [flows ? rate(track.rate) : "", open ? `${count(track.open)} open` : "", failed];
    if (edge.labels.length > 1) {
      const [above, below] = edge.labels;
      say(above, parts[0] || parts[2]);
      say(below, parts[1] || (parts[0] && parts[2]));
    } else {
      const label = parts.filter(Boolean).join(" · ");
      say(edge.labels[0], label);
      edge.from.rows[edge.at].besides(label);
    }
    edge.labels.forEach((label) => flag(label, "errors", track.failing));
  }
  for (const node of graph.nodes) flag(node.group, "failing", Boolean(tracks.get(node.track)?.failing));
}

// --- following ---
let latest = null, started = null;

function setStatus(state, text) {
  const status = byId("status");
  say(status, text);
  status.dataset.state = state;
}

function show(state) {
  latest = state;
  for (const one of state.listeners) {
    const track = trackOf(`listener ${one.name}`).take(one, state.now);
    showListener(one, track);
    for (const edge of one.edges) trackOf(`edge ${one.name} ${edge.cluster}`).take(edge, state.now).open = edge.uses_active;
  }
  for (const one of state.clusters) {
    const track = trackOf(`cluster ${one.name}`).take(one, state.now);
    track.open = one.uses_active;
    showCluster(one, track);
    showUnderCluster(one);
  }
  const outer = new Set(plan.listeners.filter((one) => !one.internal).map((one) => one.name));
  const entered = state.listeners.filter((one) => outer.has(one.name));
  const trackOfEntered = (one) => tracks.get(`listener ${one.name}`);
  const open = sum(entered, (one) => one.active);
  showTotal("open", open, () => count(open));
  showTotal("up", sum(entered, (one) => trackOfEntered(one).up), (history) => rate(history.at(-1)));
  showTotal("down", sum(entered, (one) => trackOfEntered(one).down), (history) => rate(history.at(-1)));
  showTotal("errors", sum(entered, (one) => trackOfEntered(one).fresh), (history) => count(sum(history, (n) => n)));
  flag(totals.errors.value, "bad", totals.errors.history.some((n) => n > 0));
  showTunnels(state);
  showTopology();
  setStatus(state.draining ? "draining" : "ready", state.draining ? "draining" : "ready");
  say(byId("about"), `${state.version} · ${state.workers} worker${state.workers === 1 ? "" : "s"} · ${bytes(state.buffered)} in buffers · up ${age(state.now - state.started)}`);
  byId("drain").disabled = state.draining;
  document.title = open > 0 ? `${count(open)} open · tunnel` : "tunnel";
}

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

// The plan is another one if the process is.
async function learn(state) {
  if (state.started === started) return;
  plan = await ask("topology.json");
  started = state.started;
  tracks = new Map();
  tunnelRows.clear();
  buildTables();
  buildTunnels();
  graph = makeGraph();
  drawnWidth = 0;
  latest = null;
  drawTopology();
}

let timer = 0, asking = false;
async function follow() {
  clearTimeout(timer);
  if (document.hidden || asking) return;
  asking = true;
  let pause = POLL_MS;
  try {
    const state = await ask("state.json");
    await learn(state);
    show(state);
  } catch {
    const ended = latest?.draining;
    setStatus("gone", ended ? "ended" : "no answer");
    byId("drain").disabled = true;
    pause = RETRY_MS;
  }
  asking = false;
  timer = setTimeout(follow, pause);
}

// --- the drain ---
function openDrain() {
  const open = latest ? sum(latest.listeners.filter((one) => plan.listeners.some((own) => own.name === one.name && !own.internal)), (one) => one.active) : 0;
  say(byId("confirm-text"), "It stops accepting connections and ends once those that are open have ended, or when the drain time is over. " +
    (open === 0 ? "None is open now: it ends at once." : `${count(open)} ${open === 1 ? "is" : "are"} open now.`));
  say(byId("confirm-fault"), "");
  byId("confirm").showModal();
}
async function drain() {
  try {
    const answer = await fetch("drain", { method: "POST", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) return say(byId("confirm-fault"), `Refused: ${(await answer.text()).trim()}`);
    byId("confirm").close();
    byId("drain").disabled = true;
    setStatus("draining", "draining");
    if (latest) latest.draining = true;
  } catch {
    say(byId("confirm-fault"), "No answer.");
  }
}

buildTotals();
byId("drain").addEventListener("click", openDrain);
byId("stay").addEventListener("click", () => byId("confirm").close());
byId("go").addEventListener("click", drain);
byId("hops").addEventListener("change", () => { if (latest) showTunnels(latest); });
document.addEventListener("visibilitychange", follow);
new ResizeObserver(drawTopology).observe(byId("topology"));
follow();
