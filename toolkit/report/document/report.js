"use strict";
// Charts and the log's search. Texts are set as text, never as HTML.
(() => {
  const root = document.documentElement;
  const charts = JSON.parse(document.getElementById("data").textContent);
  const DASH = [6, 4];
  const HEIGHT = 200;

  const variable = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const colour = (line) => variable(`--c${line.colour % 8}`);

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // ---- numbers

  const BYTES = ["B", "kB", "MB", "GB", "TB", "PB"];

  const bytes = (value) => {
    let unit = 0;
    let rest = value;
    for (; Math.abs(rest) >= 999.95 && unit < BYTES.length - 1; unit += 1) rest /= 1000;
    return `${Number(rest.toPrecision(3))} ${BYTES[unit]}`;
  };

  const clock = (seconds) => {
    const whole = Math.round(seconds);
    if (Math.abs(seconds) < 60) return `${Number(seconds.toFixed(1))} s`;
    const two = (value) => String(value).padStart(2, "0");
    const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
    if (hours) return minutes ? `${hours}:${two(minutes)} h` : `${hours} h`;
    return rest ? `${minutes}:${two(rest)} min` : `${minutes} min`;
  };

  const amount = (value, unit) => {
    if (value === null || value === undefined) return "–";
    if (unit === "bytes" || unit === "bytes/s") return bytes(value) + unit.slice(5);
    if (unit === "percent") return `${Number(value.toPrecision(3))} %`;
    if (unit === "seconds") return Math.abs(value) < 1 ? `${Number((value * 1000).toPrecision(3))} ms` : clock(value);
    return String(Number(value.toPrecision(4)));
  };

  // ---- charts

  const place = (chart, x) => (chart.by === "step" ? `step ${x}` : `+${clock(x)}`);

  // A tenth of a percent more or less must not look like a fall.
  const FROM_ZERO = ["bytes", "bytes/s", "percent", "seconds", "watts"];
  const fromZero = (unit) => (_, low, high) => [Math.min(0, low), Math.max(unit === "percent" ? 100 : 0, high) || 1];

  const options = (chart, width, onCursor) => {
    const axis = {
      stroke: variable("--soft"),
      font: `12px ${variable("--sans")}`,
      grid: { stroke: variable("--rule"), width: 1 },
      ticks: { show: false },
    };
    return {
      width,
      height: HEIGHT,
      padding: [12, 12, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 7 }, drag: { x: true, y: false } },
      scales: { x: { time: false }, y: FROM_ZERO.includes(chart.unit) ? { range: fromZero(chart.unit) } : {} },
      axes: [
        {
          ...axis,
          grid: { show: false },
          incrs: chart.by === "time" ? [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800] : undefined,
          values: (_, ticks) => ticks.map((tick) => (chart.by === "time" ? clock(tick) : String(tick))),
          space: 64,
          size: 30,
        },
        { ...axis, size: 60, values: (_, ticks) => ticks.map((tick) => amount(tick, chart.unit)) },
      ],
      series: [
        {},
        ...chart.lines.map((line) => ({
          label: line.label,
          stroke: colour(line),
          width: 1.75,
          dash: line.dashed ? DASH : undefined,
          spanGaps: true,
          points: { show: line.x.length <= 24, size: 5, fill: variable("--paper") },
        })),
      ],
      hooks: { setCursor: [onCursor] },
    };
  };

  const swatch = (line) => {
    const SVG = "http://www.w3.org/2000/svg";
    const made = document.createElementNS(SVG, "svg");
    const stroke = document.createElementNS(SVG, "line");
    for (const [name, value] of [["width", 18], ["height", 4], ["aria-hidden", "true"]]) made.setAttribute(name, value);
    for (const [name, value] of [["x1", 0], ["x2", 18], ["y1", 2], ["y2", 2], ["stroke-width", 2.5]]) stroke.setAttribute(name, value);
    if (line.dashed) stroke.setAttribute("stroke-dasharray", "5 3");
    stroke.style.stroke = `var(--c${line.colour % 8})`;
    made.append(stroke);
    return made;
  };

  const legend = (chart, toggle) => {
    const box = document.querySelector(`[data-legend="${chart.key}"]`);
    const values = chart.lines.map((line, at) => {
      const button = element("button");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      const value = element("span");
      button.append(swatch(line), element("span", "", line.label), value);
      button.addEventListener("click", () => {
        const shown = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(shown));
        toggle(at, shown);
      });
      box.append(button);
      return value;
    });
    const where = element("span", "at");
    box.append(where);
    return (data, at) => {
      const none = at === null || at === undefined;
      values.forEach((value, line) => { value.textContent = none ? "" : amount(data[line + 1][at], chart.unit); });
      where.textContent = none ? "" : place(chart, data[0][at]);
    };
  };

  const draw = (chart) => {
    const box = document.querySelector(`[data-chart="${chart.key}"]`);
    box.hidden = false;
    const data = uPlot.join(chart.lines.map((line) => [line.x, line.y]));
    const hidden = new Set();
    let plot = null;
    const show = legend(chart, (at, shown) => {
      if (shown) hidden.delete(at); else hidden.add(at);
      plot.setSeries(at + 1, { show: shown });
    });
    const make = () => {
      if (plot) plot.destroy();
      plot = new uPlot(options(chart, box.clientWidth, (own) => show(data, own.cursor.idx)), data, box);
      for (const at of hidden) plot.setSeries(at + 1, { show: false });
    };
    make();
    box.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      if (event.key === "Escape") plot.setCursor({ left: -10, top: -10 });
      if (move === undefined) return;
      event.preventDefault();
      const last = data[0].length - 1;
      const at = Math.max(0, Math.min(last, (plot.cursor.idx ?? (move > 0 ? -1 : last + 1)) + move));
      plot.setCursor({ left: plot.valToPos(data[0][at], "x"), top: 0 });
    });
    new ResizeObserver(() => {
      if (box.clientWidth && box.clientWidth !== plot.width) plot.setSize({ width: box.clientWidth, height: HEIGHT });
    }).observe(box);
    return make;
  };

  // ---- the log

  const search = () => {
    const form = document.querySelector(".search");
    const rows = [...document.querySelectorAll(".log tbody tr")].map((row) => {
      const [, rank, text] = row.cells;
      return { row, rank: rank.textContent, cell: text, text: text.textContent, lower: text.textContent.toLowerCase() };
    });
    if (!rows.length) return;
    const words = document.getElementById("search");
    const rank = document.getElementById("rank");
    const found = form.querySelector(".found");
    const ranks = [...new Set(rows.map((row) => row.rank))].filter(Boolean);
    ranks.sort((one, other) => one.localeCompare(other, "en", { numeric: true }));
    for (const name of ranks) rank.append(new Option(name, name));
    const mark = (row, wanted) => {
      if (row.marked) row.cell.textContent = row.text;
      const at = wanted ? row.lower.indexOf(wanted) : -1;
      row.marked = at >= 0 && row.lower.length === row.text.length;
      if (!row.marked) return;
      const end = at + wanted.length;
      row.cell.replaceChildren(row.text.slice(0, at), element("mark", "", row.text.slice(at, end)), row.text.slice(end));
    };
    const apply = () => {
      const wanted = words.value.toLowerCase();
      let count = 0;
      for (const row of rows) {
        const shown = (!rank.value || row.rank === rank.value) && row.lower.includes(wanted);
        row.row.hidden = !shown;
        count += shown;
        mark(row, shown ? wanted : "");
      }
      found.textContent = `${count} of ${rows.length} lines`;
    };
    let timer = 0;
    words.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(apply, 80); });
    rank.addEventListener("change", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    apply();
    for (const log of document.querySelectorAll(".log")) log.scrollTop = log.scrollHeight;
  };

  // ---- all together

  const redraws = charts.map(draw);
  const redraw = () => { for (const make of redraws) make(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const printing = (on) => {
    if (on) root.dataset.print = ""; else delete root.dataset.print;
    for (const one of document.querySelectorAll("details")) {
      if (on) { one.dataset.open = one.open; one.open = true; } else { one.open = one.dataset.open === "true"; }
    }
    redraw();
  };
  addEventListener("beforeprint", () => printing(true));
  addEventListener("afterprint", () => printing(false));
  search();

  // A person who searches or reads opened numbers is not disturbed.
  const busy = () => document.hidden || document.getElementById("search").value || document.querySelector("details[open]");
  const seconds = Number(root.dataset.refresh || 0);
  if (seconds) setInterval(() => { if (!busy()) location.reload(); }, seconds * 1000);
})();
