// Renders a case when it is opened, filters the list and handles keys. All text is set as text content.
(() => {
  "use strict";
  const at = (id) => document.getElementById(id);
  const overview = at("overview"),
    page = at("case"),
    rows = [...(at("rows")?.children ?? [])];
  const title = document.title;
  const SIGNS = { passed: "✓", failed: "✗", undecided: "?" };
  let cameFrom = 0,
    listed = Number(at("more")?.dataset.rows);

  // Elements
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes))
      if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
    element.append(...children.filter((child) => child !== null && child !== ""));
    return element;
  };
  const drawn = (name, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const moment = (ms) => {
    const seconds = Math.floor(ms / 1000),
      pad = (number) => String(number).padStart(2, "0");
    return seconds < 3600
      ? `${Math.floor(seconds / 60)}:${pad(seconds % 60)}`
      : `${Math.floor(seconds / 3600)}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
  };

  // The list
  const searched = rows.map((row) => `${row.textContent} ${row.dataset.tags}`.toLowerCase());
  const visible = () => rows.filter((row) => !row.hidden);
  const filter = () => {
    const words = at("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set([...document.querySelectorAll("[name=outcome]:checked")].map((box) => box.value));
    const plan = at("plan")?.value ?? "",
      moved = at("moved")?.checked ?? false;
    let fitting = 0;
    rows.forEach((row, index) => {
      const fits =
        (!wanted.size || wanted.has(row.dataset.outcome)) &&
        (!plan || row.dataset.plan === plan) &&
        (!moved || "moved" in row.dataset) &&
        words.every((word) => searched[index].includes(word));
      fitting += fits;
      row.hidden = !fits || fitting > listed; // laying out thousands of rows takes seconds
    });
    const format = (number) => number.toLocaleString("en-US");
    at("shown").textContent =
      fitting === rows.length ? format(fitting) : `${format(fitting)} of ${format(rows.length)}`;
    at("none").hidden = fitting > 0;
    at("more").hidden = fitting <= listed;
  };
  if (rows.length) {
    at("filter").hidden = false;
    at("filter").addEventListener("input", filter);
    at("filter").addEventListener("submit", (event) => event.preventDefault());
    at("reset").addEventListener("click", () => {
      at("filter").reset();
      filter();
      at("words").focus();
    });
    at("all").addEventListener("click", () => {
      listed = Infinity;
      filter();
    });
    filter(); // the browser may have restored the input
  }

  // One case
  const facts = (entries) =>
    make(
      "dl",
      { class: "facts" },
      ...Object.entries(entries).map(([label, text]) => make("div", {}, make("dt", {}, label), make("dd", {}, text))),
    );
  const finding = (found) => {
    const said =
      found.turn === null
        ? []
        : [" ", make("a", { href: `#turn-${found.turn}`, "data-turn": found.turn }, found.place)];
    return make(
      "li",
      { class: `finding ${found.outcome} ${found.severity}` },
      make("span", { class: "sign", "aria-hidden": "true" }, SIGNS[found.outcome]),
      make(
        "span",
        {},
        make("b", {}, found.id),
        `${found.label}: ${found.outcome === "undecided" ? "undecided, " : `${found.outcome}, `}${found.message}`,
        ...said,
        found.quote && found.outcome !== "passed" ? make("span", { class: "because" }, `“${found.quote}”`) : null,
      ),
    );
  };
  const lanes = (run, marked) => {
    const timed = run.turns.filter((turn) => turn.start !== null);
    if (timed.length < 2) return null;
    const last = Math.max(...timed.map((turn) => turn.end ?? turn.start)) || 1,
      scale = 1000 / last;
    const lane = { agent: 2, caller: 22, tool: 42 };
    const picture = drawn("svg", {
      viewBox: "0 0 1000 58",
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `Turns by speaker over ${moment(last)}`,
    });
    for (const turn of timed) {
      picture.append(
        drawn(
          "rect",
          {
            class: marked.has(turn.n) ? `${turn.role} marked` : turn.role,
            x: turn.start * scale,
            y: lane[turn.role],
            height: 14,
            width: Math.max(((turn.end ?? turn.start) - turn.start) * scale, 3),
          },
          drawn("title", {}, `${moment(turn.start)} ${turn.role}: ${turn.text}`),
        ),
      );
    }
    return make(
      "div",
      { class: "lanes" },
      make(
        "span",
        { class: "labels", "aria-hidden": "true" },
        ...Object.keys(lane).map((role) => make("span", {}, role)),
      ),
      picture,
      make("span", { class: "quiet", "aria-hidden": "true" }, moment(last)),
    );
  };
  const talk = (run) => {
    if (run.silent) return [make("p", { class: "note" }, run.silent)];
    const marked = new Map();
    for (const found of run.findings)
      if (found.turn !== null) marked.set(found.turn, [...(marked.get(found.turn) ?? []), found]);
    const list = make("ol", { class: "turns" });
    for (const turn of run.turns) {
      const found = marked.get(turn.n) ?? [],
        open = found.filter((one) => one.outcome !== "passed");
      list.append(
        make(
          "li",
          {
            class: `${turn.role}${found.length ? " marked" : ""}${found.length && !open.length ? " passing" : ""}`,
            id: `turn-${turn.n}`,
            tabindex: "-1",
          },
          make(
            "span",
            { class: "who" },
            `${turn.n} · ${turn.role}${turn.start === null ? "" : ` · ${moment(turn.start)}`}`,
          ),
          turn.text,
          ...found.map((one) => make("span", { class: "mark" }, `${SIGNS[one.outcome]} ${one.id}: ${one.message}`)),
        ),
      );
    }
    const failing = new Set(
      run.findings.filter((found) => found.outcome !== "passed" && found.turn !== null).map((found) => found.turn),
    );
    return [lanes(run, failing), list].filter(Boolean);
  };
  const runPart = (run) => {
    const part = make(
      "section",
      { "aria-label": `Run ${run.id}` },
      make("p", {}, make("b", {}, run.shown), run.reason ? `: ${run.reason}` : ""),
      make("p", { class: "quiet" }, run.facts),
    );
    if (run.findings.length)
      part.append(
        make("h2", {}, "Findings"),
        make(
          "ul",
          { class: "findings" },
          ...[...run.findings]
            .sort((one, other) => (one.outcome === "passed") - (other.outcome === "passed"))
            .map(finding),
        ),
      );
    part.append(make("h2", {}, "Conversation"), ...talk(run));
    return part;
  };
  const open = (index, runId) => {
    const data = JSON.parse(at(`data-${index}`).textContent);
    const run =
      data.runs.find((one) => one.id === runId) ?? data.runs.find((one) => one.outcome !== "passed") ?? data.runs[0];
    const list = visible().map((row) => rows.indexOf(row)),
      here = list.indexOf(index);
    const link = (to, words) => (to === undefined ? null : make("a", { href: `#case-${to}` }, words));
    const heading = make("h1", { tabindex: "-1" }, data.id);
    page.replaceChildren(
      make(
        "nav",
        { class: "pager", "aria-label": "Cases" },
        make("a", { href: "#" }, "← All cases"),
        link(list[here - 1], "Previous"),
        link(here < 0 ? undefined : list[here + 1], "Next"),
      ),
      make(
        "main",
        {},
        heading,
        facts(data.facts),
        data.diff
          ? make("details", { open: true }, make("summary", {}, "What changed"), make("pre", {}, data.diff))
          : null,
        make(
          "details",
          {},
          make("summary", {}, "Call settings and caller prompt"),
          facts(data.called),
          make("pre", {}, data.prompt),
        ),
        data.runs.length > 1
          ? make(
              "ul",
              { class: "tabs", "aria-label": "Runs" },
              ...data.runs.map((one) =>
                make(
                  "li",
                  {},
                  make(
                    "a",
                    { href: `#case-${index}-${one.id}`, "aria-current": one === run ? "true" : null },
                    make("span", { class: one.outcome }, SIGNS[one.outcome]),
                    ` run ${one.id}`,
                  ),
                ),
              ),
            )
          : null,
        run ? runPart(run) : make("p", { class: "note" }, "No call was made."),
      ),
    );
    overview.hidden = true;
    page.hidden = false;
    document.title = `${data.id} · ${title}`;
    cameFrom = index;
    if (runId === undefined) {
      window.scrollTo(0, 0);
      heading.focus({ preventScroll: true });
    } else page.querySelector("[aria-current=true]")?.focus({ preventScroll: true });
  };
  const close = () => {
    const wasOpen = !page.hidden;
    page.hidden = true;
    page.replaceChildren();
    overview.hidden = false;
    document.title = title;
    if (wasOpen) rows[cameFrom]?.querySelector("a").focus();
  };
  const route = () => {
    const found = /^#case-(\d+)(?:-(\d+))?$/.exec(location.hash);
    if (found && rows[found[1]]) open(Number(found[1]), found[2] === undefined ? undefined : Number(found[2]));
    else if (!location.hash.startsWith("#turn-")) close();
  };
  page.addEventListener("click", (event) => {
    // keeps the address of the case
    const turn = event.target.closest("[data-turn]");
    if (!turn) return;
    event.preventDefault();
    const said = at(`turn-${turn.dataset.turn}`);
    said?.scrollIntoView({ block: "center" });
    said?.focus({ preventScroll: true });
  });
  window.addEventListener("hashchange", route);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = ["words", "plan"].includes(document.activeElement?.id);
    if (event.key === "Escape" && !page.hidden) location.hash = "";
    else if (event.key === "Escape" && typing) document.activeElement.blur();
    else if (typing) return;
    else if (event.key === "/" && page.hidden && rows.length) {
      event.preventDefault();
      at("words").focus();
    } else if (event.key === "j" || event.key === "k") {
      const list = visible(),
        step = event.key === "j" ? 1 : -1;
      if (!page.hidden) {
        const next = list[list.indexOf(rows[cameFrom]) + step];
        if (next) location.hash = `#case-${rows.indexOf(next)}`;
      } else {
        const here = list.indexOf(document.activeElement?.closest("li"));
        list[Math.min(Math.max(here + step, 0), list.length - 1)]?.querySelector("a").focus();
      }
    }
  });
  route();
})();
