"use strict";
(() => {
  const live = document.body.dataset.live === "yes";
  const $ = (id) => document.getElementById(id);
  let TABS = ["tabPreview", "tabText", "tabSource", "tabHeaders", "tabChanges", "tabFindings", "tabMatrix"];
  const state = { template: "", fixture: "", frame: "desktop", scheme: "light", tab: "tabPreview" };
  let data = { templates: [], fixtures: [], words: {} };
  let drawing = 0;

  const el = (tag, attributes, ...children) => {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === true) node.setAttribute(key, "");
      else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  };
  const word = (key) => data.words[key] || key;
  const current = () => data.templates.find((item) => item.name === state.template);
  const get = async (path) => {
    const answer = await fetch(path, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };
  const query = (values) => new URLSearchParams(values).toString();

  const inScheme = (html, scheme) => {
    const decided = html.replace(/\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)/gi,
      (_, which) => (which.toLowerCase() === scheme ? "(min-width:0px)" : "(max-width:0px)"));
    const style = `<style>:root{color-scheme:${scheme}}</style>`;
    return /<head[^>]*>/i.test(decided) ? decided.replace(/<head[^>]*>/i, (head) => head + style) : style + decided;
  };
  const viewOf = async (template, fixture) => {
    if (live) return get("api/view?" + query({ template, fixture }));
    return { ...data.views[`${template}|${fixture}`], source: data.sources[template] };
  };
  const addressOf = (template, fixture) => "frame?" + query({ template, fixture, scheme: state.scheme });
  const mailFrame = (view, lazy) => {
    const frame = el("iframe", { sandbox: "", title: `${view.template}: ${view.subject}`, loading: lazy ? "lazy" : null,
      tabindex: lazy ? "-1" : null, "aria-hidden": lazy ? "true" : null });
    if (live) frame.src = addressOf(view.template, view.fixture);
    else frame.srcdoc = inScheme(view.html, state.scheme);
    return frame;
  };

  const slotOf = (item, change) => ({ kind: item.kind, channel: item.channel, language: item.language, format: item.format,
    override: item.override, ...change });
  const matching = (slot) => data.templates.find((item) => Object.entries(slot).every(([key, value]) => item[key] === value));
  const label = (item) => word(item.kind) + (item.override ? ` (${word("override")} ${item.override})` : "");
  const counts = (item) => ["error", "warning", "note"]
    .map((severity) => [severity, item.findings.filter((finding) => finding.severity === severity).length])
    .filter(([, count]) => count);
  const SIGNS = { error: "✕", warning: "!", note: "i" };

  const choose = (change) => { Object.assign(state, change); remember(); draw(); };
  const remember = () => history.replaceState(null, "", "#" + query(state));

  const drawList = () => {
    const groups = new Map();
    for (const item of data.templates) {
      const key = `${word(item.channel)} · ${word(item.language)}`;
      groups.set(key, [...(groups.get(key) || []), item]);
    }
    const order = ["confirmation", "change", "cancellation", "reminder1", "reminder2", "reminder3", "provider"];
    const nodes = [], options = [];
    for (const [title, items] of groups) {
      nodes.push(el("h3", {}, title));
      const group = el("optgroup", { label: title });
      for (const item of items.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || a.name.localeCompare(b.name))) {
        const marks = counts(item).filter(([severity]) => severity !== "note").map(([severity, count]) =>
          el("span", { class: `count ${severity}`, title: `${count} × ${word(severity)}` }, `${SIGNS[severity]} ${count}`));
        const button = el("button", { type: "button", class: "item", "aria-current": String(item.name === state.template),
          title: item.name }, el("span", { class: "grow" }, label(item)), ...marks,
          item.channel === "email" ? el("span", { class: "tag" }, item.format === "html" ? "HTML" : word("plain")) : null);
        button.addEventListener("click", () => choose({ template: item.name }));
        nodes.push(button);
        group.append(el("option", { value: item.name, selected: item.name === state.template },
          `${label(item)} · ${item.format === "html" ? "HTML" : word("plain")}`));
      }
      options.push(group);
    }
    const held = document.activeElement && document.activeElement.classList.contains("item");
    $("list").replaceChildren(...nodes);
    $("pick").replaceChildren(...options);
    $("pick").value = state.template;
    const active = $("list").querySelector('[aria-current="true"]');
    if (active) { active.scrollIntoView({ block: "nearest" }); if (held) active.focus(); }
  };

  const segment = (id, options, chosen, onChoose) => {
    const box = el("div", { class: "segment" });
    for (const [value, text, enabled] of options) {
      const input = el("input", { type: "radio", name: id, value, checked: value === chosen, disabled: !enabled });
      input.addEventListener("change", () => onChoose(value));
      box.append(el("label", {}, input, el("span", {}, text)));
    }
    const field = $(id), had = field.contains(document.activeElement);
    field.replaceChildren(field.querySelector("legend"), box);
    if (had) { const again = box.querySelector("input:checked"); if (again) again.focus(); }
  };

  const drawTools = (item) => {
    $("booking").replaceChildren(...data.fixtures.map((entry) => el("option", { value: entry.name }, entry.title)));
    $("booking").value = state.fixture;
    const languages = ["de", "en"].map((code) => [code, word(code), Boolean(matching(slotOf(item, { language: code })))]);
    segment("language", languages, item.language, (code) => choose({ template: matching(slotOf(item, { language: code })).name }));
    const formats = [["html", word("html")], ["text", word("plain")]]
      .map(([code, text]) => [code, text, Boolean(matching(slotOf(item, { format: code })))]);
    segment("format", formats, item.format, (code) => choose({ template: matching(slotOf(item, { format: code })).name }));
    segment("frame", [["desktop", word("desktop"), true], ["phone", word("phone"), true]], state.frame, (frame) => choose({ frame }));
    segment("scheme", [["light", word("light"), true], ["dark", word("dark"), true]], state.scheme, (scheme) => choose({ scheme }));
  };

  const drawTabs = (item) => {
    const had = $("tabs").contains(document.activeElement);
    const buttons = TABS.map((tab) => {
      const count = tab === "tabFindings" && item.findings.length ? ` (${item.findings.length})` : "";
      const button = el("button", { type: "button", role: "tab", id: tab, "aria-selected": String(tab === state.tab),
        "aria-controls": "panel", tabindex: tab === state.tab ? "0" : "-1" }, word(tab) + count);
      button.addEventListener("click", () => choose({ tab }));
      return button;
    });
    $("tabs").replaceChildren(...buttons);
    $("panel").setAttribute("aria-labelledby", state.tab);
    if (had) $(state.tab).focus();
    const chosen = $(state.tab), strip = $("tabs");
    strip.scrollLeft = chosen.offsetLeft - strip.offsetLeft - (strip.clientWidth - chosen.clientWidth) / 2;
  };

  const drawHead = (item) => {
    $("name").textContent = label(item);
    $("slot").textContent = [word(item.channel), word(item.language), item.format === "html" ? "HTML" : word("plain"), item.name].join(" · ");
    const { copiedAt, current: same, added, removed } = item.copied;
    const when = copiedAt ? new Date(copiedAt).toLocaleString(data.language, { dateStyle: "medium", timeStyle: "short" }) : "";
    const changed = `${word("changedSince")}: +${added.length} −${removed} ${word("lines")}`;
    $("copied").textContent = copiedAt ? `${word("copiedAt")}: ${when}. ${same ? word("unchangedSince") : changed}` : word("neverCopied");
  };

  const hints = (view) => {
    const found = [];
    if (view.suppressed) found.push(el("p", { class: "hint" }, word("suppressed")));
    if (view.unknown.length) found.push(el("p", { class: "hint" }, `${word("unknown")}: ${view.unknown.join(", ")}`));
    if (view.inPerson && view.source.includes("LOCATION")) found.push(el("p", { class: "hint" }, word("inPerson")));
    if (view.sms) found.push(el("p", { class: "hint" }, smsLine(view.sms)));
    return found;
  };
  const smsLine = (sms) => [`${sms.segments} ${word("segments")}`, `${sms.units} ${sms.encoding}`, `${word("price")}: ${Number(sms.price).toLocaleString(data.language, { style: "currency", currency: sms.currency })}`,
    sms.forcedBy.length ? `${word("forcedBy")} ${sms.forcedBy.join(" ")}` : ""].filter(Boolean).join(" · ");

  const device = (content, head) => el("div", { class: "stage" },
    el("div", { class: `device ${state.frame} ${state.scheme}` }, head, content));
  const mailHead = (view) => el("div", { class: "mailhead" }, el("strong", {}, view.subject || "—"),
    el("span", {}, [`${word("from")}: ${view.sender || "—"}`, view.to === undefined ? "" : `${word("to")}: ${view.to || "—"}`]
      .filter(Boolean).join(" · ")));

  const panels = {
    tabPreview: (view, item) => {
      if (item.channel === "sms") return [...hints(view), device(el("div", { class: "bubbles" }, el("div", { class: "bubble", dir: "auto" }, view.text)), null)];
      if (item.format === "html") return [...hints(view), device(mailFrame(view, false), mailHead(view))];
      return [...hints(view), device(el("pre", { class: "paper" }, view.text), mailHead(view))];
    },
    tabText: (view) => [el("pre", {}, view.text)],
    tabSource: (view, item) => {
      const { copiedAt, added } = item.copied, fresh = new Set(copiedAt ? added : []);
      const lines = view.source.split("\n").map((line, number) =>
        el("span", { class: fresh.has(number + 2) ? "add" : null }, (fresh.has(number + 2) ? "+ " : "") + line + "\n"));
      return [fresh.size ? el("p", { class: "hint" }, `${word("changedSince")}: +${fresh.size} ${word("lines")}`) : null,
        el("pre", { tabindex: "0" }, ...lines)].filter(Boolean);
    },
    tabHeaders: (view) => [el("table", { class: "plain" }, el("tbody", {}, ...[
      [word("from"), view.sender], [word("to"), view.to], [word("subject"), view.subject],
      [word("lockScreen"), view.sms ? view.text : [view.subject, view.firstWords].filter(Boolean).join(" — ")],
      [word("subject") + " (eTermin)", view.subjectSource], [word("language"), word(view.language)],
      [word("booking"), word(view.state)], [word("participants"), String(view.participants)], [word("size"), `${(view.bytes / 1024).toFixed(1)} kB`],
    ].map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value || "—")))))],
    tabChanges: async (view) => {
      if (!live) return [el("p", {}, word("noChangesStatic"))];
      const { commit, etermin } = await get("api/changes?" + query({ template: view.template }));
      const kind = (line) => (line.startsWith("@@") ? "at" : line.startsWith("+") ? "add" : line.startsWith("-") ? "del" : "");
      const shown = (diff, none, same) => (diff === null ? el("p", {}, word(none)) : !diff ? el("p", {}, word(same))
        : el("pre", { tabindex: "0" }, ...diff.split("\n").map((line) => el("span", { class: kind(line) }, line + "\n"))));
      return [el("h3", {}, word("sinceCommit")), shown(commit, "noHistory", "noChanges"),
        el("h3", {}, word("besideEtermin")), shown(etermin, "noDump", "sameAsEtermin")];
    },
    tabFindings: (view, item) => {
      if (!item.findings.length) return [el("p", {}, word("noFindings"))];
      return [el("ul", { class: "findings" }, ...item.findings.map((finding) => el("li", { class: finding.severity },
        el("p", {}, el("strong", { class: finding.severity }, `${SIGNS[finding.severity]} ${word(finding.severity)}: `), finding.message),
        el("span", { class: "quiet" }, `${finding.check} · ${finding.template}, ${word("line")} ${finding.line} · ${finding.token}`))))];
    },
    tabMatrix: async (view, item) => {
      const versions = ["de", "en"].map((language) => matching(slotOf(item, { language }))).filter(Boolean);
      const cells = await Promise.all(data.fixtures.flatMap((fixture) => versions.map((version) => cell(version, fixture))));
      return [el("div", { class: `matrix ${state.scheme}` }, ...cells)];
    },
  };
  panels.tabMail = async (view, item) => {
    const mail = await get("api/compared?" + query({ template: item.name }));
    const real = el("iframe", { sandbox: "", title: word("theirs"), src: "mail?" + query({ scheme: state.scheme }) });
    const ours = item.format === "html" ? mailFrame(view, false) : el("pre", { class: "paper", tabindex: "0" }, view.text);
    const theirs = mail.html ? real : el("pre", { class: "paper", tabindex: "0" }, mail.text);
    const side = (title, head, content, note) => el("section", { "aria-label": title }, el("h3", {}, title),
      note ? el("p", { class: "hint" }, note) : null, device(content, mailHead(head)));
    const verdict = (seen) => (seen.known ? (seen.fits ? ` ✓ ${word("asExpected")}` : ` ✕ ${word("notExpected")}`) : "");
    const rows = mail.tokens.map((seen) => el("tr", { class: seen.known && !seen.fits ? "off" : null },
      el("th", { scope: "row" }, seen.token), el("td", {}, seen.kind, el("span", { class: "verdict" }, verdict(seen)))));
    const columns = [word("token"), word("became")].map((name) => el("th", { scope: "col" }, name));
    return [el("p", { class: "hint" }, mail.summary.join(" ")),
      el("div", { class: "beside" }, side(word("ours"), view, ours), side(word("theirs"), mail, theirs,
        mail.html ? null : word("noHtmlPart"))),
      el("table", { class: "plain tokens" }, el("thead", {}, el("tr", {}, ...columns)), el("tbody", {}, ...rows)),
      el("p", { class: "quiet" }, word("mailKept"))];
  };
  const cell = async (item, fixture) => {
    const view = await viewOf(item.name, fixture.name);
    const about = view.sms ? smsLine(view.sms) : view.subject;
    const content = item.format === "html" ? mailFrame(view, true) : el("pre", {}, view.text);
    const button = el("button", { type: "button" }, el("strong", {}, `${fixture.title} · ${word(item.language)}`), about);
    button.addEventListener("click", () => choose({ template: item.name, fixture: fixture.name, tab: "tabPreview" }));
    return el("div", { class: "cell" }, el("div", { class: "thumb" }, content), button);
  };

  const draw = async () => {
    const mine = ++drawing;
    showError();
    const item = current();
    if (!item) return;
    drawList(); drawTools(item); drawTabs(item); drawHead(item);
    await drawPanel(item, mine);
  };
  const drawPanel = async (item, mine) => {
    try {
      const view = await viewOf(item.name, state.fixture);
      const nodes = await panels[state.tab](view, item);
      if (mine === drawing) { $("panel").replaceChildren(...nodes); document.body.dataset.drawn = String(mine); }
    } catch (problem) {
      if (mine === drawing && !/^\d+$/.test(problem.message)) showAlert(word("offline"));
    }
  };
  const showAlert = (text) => { $("alert").textContent = text; $("alert").hidden = !text; };
  const showError = () => showAlert(data.error ? `${data.error.fact}\n${data.error.hint}` : "");

  const take = (snapshot) => {
    data = snapshot;
    if (data.mail !== null && data.mail !== undefined && !TABS.includes("tabMail")) {
      TABS = [...TABS, "tabMail"];
      if (!location.hash) Object.assign(state, { tab: "tabMail", template: data.mail });
    }
    if (!TABS.includes(state.tab)) state.tab = TABS[0];
    if (!current() && data.templates.length) {
      const first = matching({ kind: "confirmation", channel: "email", language: data.language, format: "html", override: "" });
      state.template = (first || data.templates[0]).name;
    }
    if (!data.fixtures.some((entry) => entry.name === state.fixture)) state.fixture = data.fixtures.length ? data.fixtures[0].name : "";
  };
  const refresh = async () => { take(await get("api/snapshot")); await draw(); };
  // a saved change: the mail is asked for first, in the frame that is there; all else follows
  const follow = async () => {
    const item = current(), frame = $("panel").querySelector(".device iframe");
    const here = item && item.format === "html" && state.tab === "tabPreview" && frame;
    if (here) { await reloaded(frame); await drawAround(item, ++drawing); }
    else if (item && state.tab !== "tabMatrix") drawPanel(item, ++drawing);
    take(await get("api/snapshot"));
    showError();
    if (current() !== undefined && item && current().name === item.name) { drawList(); drawTools(current()); drawTabs(current()); drawHead(current()); }
    else await draw();
    if (state.tab === "tabMatrix") await draw();
  };
  const reloaded = (frame) => new Promise((done) => {
    frame.addEventListener("load", () => requestAnimationFrame(done), { once: true });
    setTimeout(done, 1000);
    frame.src = addressOf(state.template, state.fixture);
  });
  const drawAround = async (item, mine) => {
    const view = await viewOf(item.name, state.fixture);
    if (mine !== drawing) return;
    for (const old of $("panel").querySelectorAll(":scope > .hint")) old.remove();
    $("panel").prepend(...hints(view));
    $("panel").querySelector(".mailhead").replaceWith(mailHead(view));
    document.body.dataset.drawn = String(mine);
  };
  const refreshFindings = async () => {
    take(await get("api/snapshot"));
    if (state.tab === "tabFindings" || !current()) { await draw(); return; }
    drawList(); drawTabs(current()); showError();
  };

  const copy = async () => {
    const view = await viewOf(state.template, state.fixture);
    try {
      await navigator.clipboard.writeText(view.source);
    } catch (problem) {
      const area = el("textarea", {}); area.value = view.source; document.body.append(area); area.select();
      const done = document.execCommand("copy"); area.remove();
      if (!done) { $("status").textContent = word("copyFailed"); return; }
    }
    $("status").textContent = word("copied");
    if (!live) return;
    await fetch("api/copied", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ template: state.template }) });
    await refresh();
  };

  const step = (by) => {
    const names = [...$("pick").querySelectorAll("option")].map((option) => option.value);
    const next = names[(names.indexOf(state.template) + by + names.length) % names.length];
    if (next) choose({ template: next });
  };
  const KEYS = {
    ArrowDown: () => step(1), ArrowUp: () => step(-1), j: () => step(1), k: () => step(-1),
    b: () => { const all = data.fixtures.map((entry) => entry.name); choose({ fixture: all[(all.indexOf(state.fixture) + 1) % all.length] }); },
    l: () => { const other = matching(slotOf(current(), { language: current().language === "de" ? "en" : "de" })); if (other) choose({ template: other.name }); },
    p: () => choose({ frame: state.frame === "phone" ? "desktop" : "phone" }),
    d: () => choose({ scheme: state.scheme === "dark" ? "light" : "dark" }),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const where = event.target;
    if (where.matches("select, textarea, input") || (where.matches("pre, #panel") && event.key.startsWith("Arrow"))) return;
    if (where.matches('[role="tab"]') && ["ArrowRight", "ArrowLeft"].includes(event.key)) {
      const by = event.key === "ArrowRight" ? 1 : -1;
      choose({ tab: TABS[(TABS.indexOf(state.tab) + by + TABS.length) % TABS.length] });
    } else if (/^[1-9]$/.test(event.key) && TABS[Number(event.key) - 1]) choose({ tab: TABS[Number(event.key) - 1] });
    else if (KEYS[event.key] && current()) KEYS[event.key]();
    else return;
    event.preventDefault();
  });

  $("booking").addEventListener("change", (event) => choose({ fixture: event.target.value }));
  $("pick").addEventListener("change", (event) => choose({ template: event.target.value }));
  $("copy").addEventListener("click", copy);
  for (const [key, value] of new URLSearchParams(location.hash.slice(1))) if (key in state) state[key] = value;

  if (!live) { take(JSON.parse($("data").textContent)); draw(); return; }
  refresh().catch(() => showAlert(word("offline")));
  const events = new EventSource("events");
  events.addEventListener("changed", () => follow().catch(() => showAlert(word("offline"))));
  events.addEventListener("checked", () => refreshFindings().catch(() => showAlert(word("offline"))));
  events.addEventListener("error", () => showAlert(word("offline")));
  events.addEventListener("open", () => showError());
})();
