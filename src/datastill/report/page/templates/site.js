"use strict";
// Filters and order of the table of results.
(() => {
  const body = document.querySelector("#table tbody");
  const rows = Array.from(body.rows);
  const filters = Array.from(document.querySelectorAll("select[data-column]"));
  const words = document.getElementById("words");
  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/);
    rows.forEach(row => {
      const text = row.textContent.toLowerCase();
      row.hidden = filters.some(each => each.value && row.dataset[each.dataset.column.toLowerCase()] !== each.value) || !wanted.every(word => text.includes(word));
    });
    document.getElementById("count").textContent = `${rows.filter(row => !row.hidden).length} of ${rows.length} rows`;
  };
  filters.forEach(each => each.addEventListener("change", filter));
  words.addEventListener("input", filter);
  document.getElementById("clear").addEventListener("click", () => {
    filters.forEach(each => { each.value = ""; });
    words.value = "";
    filter();
  });
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };
  document.querySelectorAll("#table thead button").forEach(button => button.addEventListener("click", () => {
    const head = button.parentElement, column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending" || (head.getAttribute("aria-sort") === null && button.textContent.startsWith("accuracy"));
    document.querySelectorAll("#table th[aria-sort]").forEach(each => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const order = (one, other) => (typeof one === "number" ? one - other : one.localeCompare(other));
    rows.sort((one, other) => (down ? -1 : 1) * order(value(one, column), value(other, column)));
    body.append(...rows);
  }));
})();
