const main = document.getElementById("main");
const byId = (id) => document.getElementById(id);
const PAGE = 60;
let library = { models: [], facets: [], labels: [], edit: false };
let wanted = 0; // the latest page that was asked for: answers to others come too late

// ---- Small words ----

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const many = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
const count = (number) => number.toLocaleString("en");
const percent = (share) => `${(100 * share).toFixed(0)} %`;
const name = (path) => path.split("/").pop();

function clock(seconds) {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${parts.join(":")}` : parts.join(":");
}

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

async function ask(address, options) {
  const answer = await fetch(address, options);
  const body = await answer.json().catch(() => ({ error: `the server says ${answer.status}` }));
  if (!answer.ok) throw new Error(body.error ?? `the server says ${answer.status}`);
  return body;
}

const send = (method, address, body) =>
  ask(address, { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) });

// ---- Where we are: everything is in the address, so that Back works and links can be kept ----

function place() {
  const [path, words = ""] = location.hash.replace(/^#/, "").split("?");
  return { parts: path.split("/").filter(Boolean), words: new URLSearchParams(words) };
}

function link(path, words) {
  const text = words.toString();
  return `#${path}${text ? `?${text}` : ""}`;
}

function changed(changes) {
  const words = place().parts.length ? new URLSearchParams() : place().words;
  for (const [key, value] of Object.entries(changes)) {
    if (value) words.set(key, value);
    else words.delete(key);
  }
  if (!("offset" in changes)) words.delete("offset");
  return words;
}

const go = (changes) => { location.hash = link("/", changed(changes)); };
const model = () => sessionStorage.getItem("model") ?? "";
const ofModel = () => (model() ? `&model=${encodeURIComponent(model())}` : "");

// ---- Files ----

function tagList(tags) {
  return tags.slice(0, 4).map(([label, score]) => element("span", { class: "tag" }, `${label} ${percent(score)}`));
}

function card(hit) {
  const spans = hit.found.flatMap((tag) => tag.spans);
  const first = spans.length ? Math.min(...spans.map((span) => span.start)) : null;
  const at = first === null ? "" : `?at=${(first + 0.5).toFixed(1)}`;
  const picture = element("img", { src: `/thumbnails/${hit.video}${at}`, alt: "", loading: "lazy" });
  picture.addEventListener("error", () => picture.replaceWith(element("span", { class: "blank" })));
  const when = spans.slice(0, 3).map((span) => `${clock(span.start)}–${clock(span.end)}`).join(", ");
  const words = new URLSearchParams(first === null ? {} : { at: first.toFixed(2) });
  return element(
    "a", { class: "card", href: link(`/file/${hit.video}`, words) }, picture,
    element(
      "div", {}, element("b", {}, name(hit.path)),
      element("small", { class: `state-${hit.state}` },
        [hit.duration ? clock(hit.duration) : null, hit.state === "tagged" ? null : hit.state.replace("_", " "), when || null]
          .filter(Boolean).join(" · ")),
      element("div", {}, ...tagList(hit.tags)),
    ),
  );
}

async function showFiles(words) {
  const mine = ++wanted;
  const query = new URLSearchParams({ limit: PAGE });
  for (const key of ["query", "min_score", "path", "offset"]) if (words.get(key)) query.set(key, words.get(key));
  for (const key of ["after", "before"]) {
    if (words.get(key)) query.set(key, Date.parse(`${words.get(key)}T00:00:00`) / 1000);
  }
  const found = await ask(`/api/files?${query}${ofModel()}`);
  if (mine !== wanted) return;
  const offset = Number(words.get("offset") ?? 0);
  const title = words.get("query") ? `${many(found.total, "file")} with ${words.get("query")}` : many(found.total, "file");
  const pages = element("div", { class: "pages" });
  if (offset > 0) pages.append(element("a", { href: link("/", changed({ offset: Math.max(0, offset - PAGE) || "" })) }, "← Previous"));
  if (found.total > 0) pages.append(element("span", { class: "soft" }, `${count(offset + 1)} to ${count(offset + found.hits.length)}`));
  if (offset + found.hits.length < found.total) pages.append(element("a", { href: link("/", changed({ offset: offset + PAGE })) }, "Next →"));
  main.replaceChildren(element("h1", {}, title), element("div", { class: "grid" }, ...found.hits.map(card)), pages);
}

// ---- One file ----

async function showFile(video, words) {
  const mine = ++wanted;
  const file = await ask(`/api/files/${video}`);
  if (mine !== wanted) return;
  const place = file.places.find((place) => !place.gone) ?? file.places[0];
  const isStill = !file.media?.duration;
  const player = isStill
    ? element("img", { class: "still", src: `/media/${video}`, alt: name(place.path) })
    : element("video", { src: `/media/${video}`, controls: true, preload: "metadata", playsinline: true });
  const trouble = element("p", { class: "note", hidden: true });
  player.addEventListener("error", async () => {
    const answer = await fetch(`/media/${video}`, { headers: { range: "bytes=0-0" } });
    const reason = answer.ok ? "this browser does not play files of this kind; open it with a player" : (await answer.json()).error;
    trouble.textContent = `It cannot be played here: ${reason}. ${place.path}`;
    trouble.hidden = false;
  });
  const from = Number(words.get("at") ?? 0);
  if (!isStill && from > 0) player.addEventListener("loadedmetadata", () => { player.currentTime = from; }, { once: true });
  const parts = [element("h1", {}, name(place.path)), player, trouble];
  for (const scores of file.models) parts.push(...timeline(file, scores, player));
  parts.push(...said(file, player));
  parts.push(
    element("h2", {}, "File"),
    ...file.places.map((place) => element("p", { class: "facts" }, place.path, place.gone ? " (no longer there)" : "")),
    element("p", { class: "facts" },
      file.media ? `${file.media.codec}, ${file.media.width}×${file.media.height}, ${clock(file.media.duration)}` : "not opened yet"),
  );
  main.replaceChildren(...parts);
}

function bar(span, whole, title, player) {
  const button = element("button", { type: "button", title, "aria-label": title, onclick: () => play(player, span) });
  button.style.left = `${(100 * span.start) / whole}%`;
  button.style.width = `${Math.max(0.4, (100 * (span.end - span.start)) / whole)}%`;
  return button;
}

function play(player, span) {
  if (!(player instanceof HTMLVideoElement)) return;
  player.currentTime = span.start;
  player.play().catch(() => {});
  const stop = () => {
    if (player.currentTime >= span.end && span.end > span.start) player.pause();
    if (player.paused) player.removeEventListener("timeupdate", stop);
  };
  player.addEventListener("playing", () => player.addEventListener("timeupdate", stop), { once: true });
}

function timeline(file, scores, player) {
  const heading = element("h2", {}, scores.model);
  if (!["tagged", "no_tag"].includes(scores.state)) {
    const reason = [scores.state.replace("_", " "), scores.kind, scores.reason].filter(Boolean).join(": ");
    return [heading, element("p", { class: scores.state === "failed" ? "note" : "facts" }, reason)];
  }
  const rows = element("div", { class: "timeline" });
  const whole = Math.max(file.media?.duration ?? 0, 0.1);
  for (const tag of scores.tags) {
    const remove = library.edit
      ? element("button", {
          type: "button", title: `${tag.label} is not to be seen here`, "aria-label": `Remove ${tag.label}`,
          onclick: () => correct(file.video, { label: tag.label, verdict: "removed" }),
        }, "✕")
      : element("span");
    const track = element("div", { class: "track" });
    for (const span of tag.spans) {
      track.append(bar(span, whole, `${tag.label} ${percent(span.score)}, ${clock(span.start)} to ${clock(span.end)}`, player));
    }
    rows.append(element("span", { class: "label" }, tag.label, " ", element("span", { class: "soft" }, percent(tag.score))), track, remove);
  }
  const nothing = scores.tags.length ? null : element("p", { class: "facts" }, "none of the labels is sure enough");
  const looked = `${many(scores.windows.length, "window")}, ${count(scores.windows.filter((one) => one.l.r !== undefined).length)} of them scored`;
  return [heading, nothing, rows, element("p", { class: "facts" }, scores.kind ? `${looked}; damaged: ${scores.reason}` : looked)].filter(Boolean);
}

function said(file, player) {
  const parts = [];
  const whole = Math.max(file.media?.duration ?? 0, 0.1);
  if (file.corrections.length) {
    const rows = element("div", { class: "timeline" });
    for (const said of file.corrections) {
      const span = said.span ? { start: said.span[0], end: said.span[1] } : { start: 0, end: whole };
      const verdict = said.verdict === "added" ? "is there" : "is not there";
      rows.append(
        element("span", { class: "label" }, `${said.label} ${verdict}`, said.note ? element("span", { class: "soft" }, ` ${said.note}`) : ""),
        element("div", { class: "track person" }, bar(span, whole, `${said.label} ${verdict}, ${clock(span.start)} to ${clock(span.end)}`, player)),
        library.edit
          ? element("button", {
              type: "button", "aria-label": `Take back: ${said.label} ${verdict}`,
              onclick: () => changing(() => send("DELETE", `/api/corrections/${said.id}`), file.video),
            }, "Take back")
          : element("span"),
      );
    }
    parts.push(element("h2", {}, "What people said"), rows);
  }
  if (library.edit) parts.push(form(file, player));
  return parts;
}

function form(file, player) {
  const field = (label, attributes) => {
    const input = element("input", attributes);
    return [element("label", {}, label, input), input];
  };
  const [labelField, label] = field("A label that is missing", { name: "label", required: true, maxlength: 200, list: "labels", autocomplete: "off" });
  const [fromField, from] = field("from second", { name: "from", type: "number", min: 0, step: "any" });
  const [toField, to] = field("to second", { name: "to", type: "number", min: 0, step: "any" });
  const isVideo = player instanceof HTMLVideoElement;
  const now = (input) => element("button", { type: "button", onclick: () => { input.value = player.currentTime.toFixed(1); } }, "now");
  const made = element("form", { class: "correct" }, labelField, ...(isVideo ? [fromField, now(from), toField, now(to)] : []), element("button", {}, "Add"));
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    const span = from.value !== "" && to.value !== "" ? [Number(from.value), Number(to.value)] : null;
    correct(file.video, { label: label.value, verdict: "added", span });
  });
  return made;
}

const correct = (video, body) => changing(() => send("POST", `/api/files/${video}/corrections`, body), video);

async function changing(change, video) {
  try {
    await change();
    await showFile(video, new URLSearchParams());
    await readLibrary();
  } catch (error) {
    main.prepend(element("p", { class: "note", role: "alert" }, error.message));
  }
}

// ---- Failures ----

async function showFailures(words) {
  const mine = ++wanted;
  const cursor = words.get("video") ? `&cursor_modified=${words.get("modified")}&cursor_video=${words.get("video")}` : "";
  const found = await ask(`/api/failures?${cursor}${ofModel()}`.replace("?&", "?"));
  if (mine !== wanted) return;
  const groups = found.groups.map((group) => element("span", { class: "tag" }, `${group.kind} ${count(group.files)}`));
  const row = (file) =>
    element("tr", {}, element("td", {}, element("a", { href: `#/file/${file.video}` }, file.path)),
      element("td", { class: "bad" }, file.kind ?? ""), element("td", {}, file.reason ?? ""), element("td", {}, `${file.attempts}×`));
  const head = element("thead", {}, element("tr", {}, ...["File", "Kind", "Reason", "Tried"].map((text) => element("th", { scope: "col" }, text))));
  const last = found.files.at(-1);
  main.replaceChildren(
    element("h1", {}, found.groups.length ? "Files without scores" : "Nothing failed"),
    element("p", {}, ...groups),
    found.files.length ? element("table", {}, head, element("tbody", {}, ...found.files.map(row))) : "",
    found.files.length >= 200
      ? element("a", { href: link("/failures", new URLSearchParams({ modified: last.modified, video: last.video })) }, "Next →") : "",
    element("p", { class: "soft" }, "`reelnet library retry` tries them again. ", element("a", { href: "/corrections.csv" }, "What people said, as CSV")),
  );
}

// ---- What stands around ----

async function readLibrary() {
  library = await ask(`/api/library?${ofModel().slice(1)}`);
  const select = byId("model");
  select.hidden = library.models.length < 2;
  select.replaceChildren(...library.models.map((one) => element("option", { value: one.id, selected: String(one.id) === model() }, one.name)));
  byId("labels").replaceChildren(...library.labels.map((label) => element("option", { value: label })));
  byId("facets").replaceChildren(
    ...library.facets.map((facet) =>
      element("li", {}, element("a", { href: link("/", changed({ query: `"${facet.label}"` })) }, facet.label, element("span", {}, count(facet.files))))),
  );
}

async function readStatus() {
  const line = byId("progress");
  try {
    const status = await ask("/api/status");
    const one = status.models.find((one) => String(one.id) === model()) ?? status.models[0];
    const counts = one?.counts ?? {};
    const left = (counts.waiting ?? 0) + (counts.working ?? 0);
    byId("failed-count").textContent = counts.failed ? `(${count(counts.failed)})` : "";
    const parts = [many(status.files, "file")];
    if (one) parts.push(`${count(counts.tagged ?? 0)} tagged`, `${count(counts.no_tag ?? 0)} without a sure label`);
    if (left) parts.push(`${count(left)} to go`);
    if (status.is_paused) parts.push("paused");
    if (one?.speed) parts.push(`${one.speed.toFixed(1)} hours of video an hour`);
    if (left && one?.seconds_left) parts.push(`about ${duration(one.seconds_left)} left`);
    line.textContent = parts.join(" · ");
  } catch (error) {
    line.textContent = error.message;
  }
}

async function show() {
  const { parts, words } = place();
  byId("query").value = parts.length ? "" : (words.get("query") ?? "");
  if (!parts.length) {
    byId("min-score").value = words.get("min_score") ?? 0;
    byId("score-shown").textContent = Number(byId("min-score").value).toFixed(2);
    for (const key of ["after", "before", "path"]) byId(key).value = words.get(key) ?? "";
  }
  try {
    if (parts[0] === "file") await showFile(parts[1], words);
    else if (parts[0] === "failures") await showFailures(words);
    else await showFiles(words);
  } catch (error) {
    main.replaceChildren(element("p", { class: "note", role: "alert" }, error.message));
  }
}

byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  go({ query: byId("query").value.trim() });
});
byId("min-score").addEventListener("input", (event) => { byId("score-shown").textContent = Number(event.target.value).toFixed(2); });
byId("min-score").addEventListener("change", (event) => go({ min_score: Number(event.target.value) ? event.target.value : "" }));
for (const key of ["after", "before", "path"]) byId(key).addEventListener("change", (event) => go({ [key]: event.target.value }));
byId("model").addEventListener("change", async (event) => {
  sessionStorage.setItem("model", event.target.value);
  await readLibrary();
  await show();
});
if (matchMedia("(max-width: 44rem)").matches) byId("more").open = false;
addEventListener("hashchange", () => show().then(() => { if (place().parts.length) main.focus(); }));
await readLibrary().catch((error) => main.replaceChildren(element("p", { class: "note", role: "alert" }, error.message)));
readStatus();
setInterval(readStatus, 3000);
show();
