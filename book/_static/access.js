// What scrolls sideways can be reached by the Tab key and scrolled by the arrow keys; and a list of
// citations, whose entries are no list items for docutils, does not call itself a list.
(() => {
  const NAMES = [[".wide-table", "A table that scrolls sideways"],
                 ["div.cell_output, div.output", "Output that scrolls sideways"],
                 ["div.math, div.highlight pre", "Lines that scroll sideways"]];
  const mark = () => {
    for (const [which, label] of NAMES)
      for (const element of document.querySelectorAll(which)) {
        if (element.scrollWidth <= element.clientWidth) continue;
        if (Number(element.getAttribute("tabindex") ?? -1) >= 0) continue; // the theme may have set -1
        if (!["auto", "scroll"].includes(getComputedStyle(element).overflowX)) continue;
        element.setAttribute("tabindex", "0");
        element.setAttribute("role", "group");
        element.setAttribute("aria-label", label);
      }
  };
  window.addEventListener("load", () => {
    for (const list of document.querySelectorAll(".citation-list")) list.removeAttribute("role");
    mark();
    window.MathJax?.startup?.promise?.then(mark);
    new ResizeObserver(mark).observe(document.body);
  });
})();
