"use strict";
(function () {
  document.documentElement.classList.add("js");
  const data = JSON.parse(document.getElementById("data").textContent);
  const tip = document.getElementById("tip");
  const points = Array.from(document.querySelectorAll(".pareto .point"));
  const names = {};

  function say(message, x, y) {
    tip.textContent = message;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, x + 14), window.innerWidth - box.width - 8);
    const top = y + 18 + box.height > window.innerHeight ? y - box.height - 12 : y + 18;
    tip.style.left = left + "px";
    tip.style.top = Math.max(8, top) + "px";
  }

  function hush() {
    tip.hidden = true;
  }

  function select(id) {
    const plan = data.trials[id];
    if (plan === undefined) return;
    points.forEach(function (point) {
      point.classList.toggle("selected", point.dataset.id === id);
    });
    document.getElementById("plan-name").textContent = names[id] || "Trial " + id;
    const missing = "The plan of this dominated trial is not kept in this file; the study's store holds it.";
    document.querySelector("#plan-text code").textContent = plan === null ? missing : data.plans[plan];
  }

  points.forEach(function (point) {
    const title = point.querySelector("title");
    const name = title.textContent;
    title.remove();
    point.setAttribute("aria-label", name);
    if (!names[point.dataset.id]) names[point.dataset.id] = name;
    point.addEventListener("pointermove", function (event) {
      say(name, event.clientX, event.clientY);
    });
    point.addEventListener("pointerleave", hush);
    point.addEventListener("focus", function () {
      const box = point.querySelector(".dot").getBoundingClientRect();
      say(name, box.right, box.bottom);
    });
    point.addEventListener("blur", hush);
    point.addEventListener("click", function () {
      select(point.dataset.id);
    });
    point.addEventListener("keydown", function (event) {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        select(point.dataset.id);
      } else if (event.key === "Escape") {
        hush();
      } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
        step(point, event.key === "ArrowRight" ? 1 : -1);
        event.preventDefault();
      }
    });
  });

  /* The arrow keys walk the front from left to right. */
  function step(point, way) {
    const chart = point.ownerSVGElement;
    const row = Array.from(chart.querySelectorAll(".point[tabindex]"));
    row.sort(function (one, other) {
      return one.querySelector(".dot").getBoundingClientRect().left - other.querySelector(".dot").getBoundingClientRect().left;
    });
    const next = row[row.indexOf(point) + way];
    if (next) next.focus();
  }

  document.querySelectorAll(".trials button[data-id]").forEach(function (button) {
    button.addEventListener("click", function () {
      select(button.dataset.id);
      document.getElementById("plan-panel").scrollIntoView({ block: "center" });
    });
  });

  const copy = document.getElementById("plan-copy");
  if (copy) {
    copy.addEventListener("click", function () {
      const code = document.querySelector("#plan-text code");
      const range = document.createRange();
      range.selectNodeContents(code);
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      let done = false;
      try {
        done = document.execCommand("copy");
      } catch (error) {
        done = false;
      }
      copy.textContent = done ? "Copied" : "Selected: press Ctrl+C";
      window.setTimeout(function () {
        copy.textContent = "Copy plan (TOML)";
      }, 2000);
    });
  }

  document.querySelectorAll("table.trials").forEach(function (table) {
    const heads = Array.from(table.querySelectorAll("th[data-sort]"));
    heads.forEach(function (head, column) {
      head.tabIndex = 0;
      head.title = "Sort by this column";
      const sort = function () {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach(function (other) {
          other.removeAttribute("aria-sort");
        });
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const body = table.tBodies[0];
        const rows = Array.from(body.rows);
        rows.sort(function (one, other) {
          return compare(one.cells[column], other.cells[column], head.dataset.sort, up);
        });
        rows.forEach(function (row) {
          body.appendChild(row);
        });
      };
      head.addEventListener("click", sort);
      head.addEventListener("keydown", function (event) {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          sort();
        }
      });
    });
  });

  /* Missing numbers stay at the end whichever way the column is sorted. */
  function compare(one, other, kind, up) {
    const way = up ? 1 : -1;
    if (kind === "t") return way * one.textContent.localeCompare(other.textContent);
    const a = parseFloat(one.dataset.v === undefined ? one.textContent : one.dataset.v);
    const b = parseFloat(other.dataset.v === undefined ? other.textContent : other.dataset.v);
    if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b);
    return way * (a - b);
  }

  document.querySelectorAll(".heat").forEach(function (chart) {
    const index = chart.dataset.map;
    const cells = data.maps[index];
    const out = document.getElementById("map-" + index);
    if (!cells || !out) return;
    const rest = "Move over the map to read a block.";
    out.textContent = rest;
    chart.addEventListener("pointermove", function (event) {
      const box = chart.getBoundingClientRect();
      const column = Math.min(cells[0].length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * cells[0].length)));
      const up = Math.min(cells.length - 1, Math.max(0, Math.floor((1 - (event.clientY - box.top) / box.height) * cells.length)));
      const a = block(up, chart.dataset.a / cells.length, chart.dataset.firstA);
      const b = block(column, chart.dataset.b / cells[0].length, chart.dataset.firstB);
      out.textContent = "a " + a + ", b " + b + ": mean error " + String(cells[up][column]).replace("-", "\u2212");
    });
    chart.addEventListener("pointerleave", function () {
      out.textContent = rest;
    });
  });

  function block(index, size, low) {
    const first = Math.round(index * size) + Number(low);
    const last = Math.round((index + 1) * size) - 1 + Number(low);
    return (last > first ? first + " to " + last : String(first)).replace(/-/g, "\u2212");
  }
})();
