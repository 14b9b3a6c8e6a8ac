"use strict";
// Sorts tables, switches lines off, highlights groups, says the value at a point. Nothing is loaded.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const of = (group) => all(`[data-group="${group}"]`);
  const pressed = (button) => button.getAttribute("aria-pressed") === "true";
  const press = (button, on) => button.setAttribute("aria-pressed", String(on));
  document.documentElement.classList.add("lively");

  // Tables: by the number that a cell starts with, or else by its text; what has none goes last.
  const value = (text) => {
    const found = /^[^\d\w]*?([-+−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)(?:\/(\d+))?/.exec(text);
    return found ? Number(found[1].replace("−", "-")) / Number(found[2] || 1) : NaN;
  };
  const compare = (a, b, numbers) => {
    if (!numbers) return a.localeCompare(b, "en", { numeric: true });
    const [x, y] = [value(a), value(b)];
    return x === y ? 0 : x - y;
  };
  const sort = (heading, column) => {
    const table = heading.closest("table");
    const body = table.tBodies[0];
    const down = heading.getAttribute("aria-sort") === "ascending";
    const cell = (row) => row.cells[column].textContent.trim();
    const empty = (row) => cell(row) === "–" || cell(row) === "";
    const rows = [...body.rows];
    const numbers = rows.every((row) => empty(row) || !Number.isNaN(value(cell(row))));
    const full = rows.filter((row) => !empty(row));
    full.sort((a, b) => (down ? -1 : 1) * compare(cell(a), cell(b), numbers));
    body.append(...full, ...rows.filter(empty));
    all("[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  };
  for (const table of all("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(heading, column));
      heading.append(button);
    });
  }

  // Lines: off or on, and highlighted.
  const show = (button, on) => {
    press(button, on);
    of(button.dataset.show).forEach((each) => each.classList.toggle("off", !on));
  };
  const mark = (button, on) => {
    press(button, on);
    of(button.dataset.mark).forEach((each) => each.classList.toggle("marked", on));
    document.body.classList.toggle("marking", all("[data-mark]").some(pressed));
  };
  for (const button of all("[data-show]")) button.addEventListener("click", () => show(button, !pressed(button)));
  for (const button of all("[data-mark]")) {
    if (pressed(button)) mark(button, true);
    button.addEventListener("click", () => mark(button, !pressed(button)));
  }
  for (const button of all("[data-all]")) {
    button.addEventListener("click", () => all("[data-show]").forEach((each) => show(each, button.dataset.all === "true")));
  }

  // On paper everything is open but the tables of points, which are wider than paper.
  const folded = () => all("details").filter((each) => !each.closest(".decay"));
  addEventListener("beforeprint", () => folded().forEach((each) => (each.open = true)));

  // Values: under a pointer or a finger, and from point to point with the arrow keys.
  for (const figure of all("figure.decay")) {
    const output = figure.querySelector("output");
    const plot = figure.querySelector("svg.curves");
    const say = (point) => {
      all(".here", plot).forEach((each) => each.classList.remove("here"));
      point.classList.add("here");
      output.textContent = point.querySelector("title").textContent;
    };
    plot.addEventListener("pointerover", (event) => {
      if (event.target.matches("circle")) say(event.target);
    });
    plot.addEventListener("click", (event) => {
      if (event.target.matches("circle")) say(event.target);
    });
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    plot.addEventListener("keydown", (event) => {
      if (!(event.key in steps)) return;
      event.preventDefault();
      const lines = all("g.line:not(.off)", plot).map((line) => all("circle", line));
      if (!lines.length) return;
      const here = plot.querySelector(".line:not(.off) .here");
      const row = lines.findIndex((points) => points.includes(here));
      if (row < 0) return say(lines[0][0]);
      const [down, right] = steps[event.key];
      const line = lines[(row + down + lines.length) % lines.length];
      const next = lines[row].indexOf(here) + right;
      say(line[Math.min(Math.max(next, 0), line.length - 1)]);
    });
  }
})();
