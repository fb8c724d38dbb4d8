(() => {
  const box = document.getElementById("result-knobs");
  const data = JSON.parse(document.getElementById("result-data").textContent);
  const SPACE = "http://www.w3.org/2000/svg";
  const WIDE = 300, HIGH = 18; // of a method's line in the chart
  const inAll = Object.values(data.knobs).flatMap((knob) => Object.values(knob.levels).flat(2));
  const reach = 5 * Math.ceil(Math.max(...inAll) / 5); // one axis for both knobs, to a round number
  const digit = (value, sign) => {
    const text = value.toFixed(1);
    return (sign && !text.startsWith("-") ? "+" + text : text).replace("-", "−");
  };
  const span = ([value, low, high], sign) =>
    `${digit(value, sign)} [${digit(low, sign)}, ${digit(high, sign)}]`;
  const make = (parent, name, attributes) => {
    const element = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.append(element);
    return element;
  };
  const at = (value) => 4 + (WIDE - 8) * value / reach;
  const line = (chart, method, found) => {
    const row = document.createElement("div");
    row.dataset.method = method;
    const name = document.createElement("span"), numbers = document.createElement("span");
    name.textContent = data.methods[method];
    numbers.textContent = `${span(found)} %`;
    numbers.className = "result-knob-value";
    row.append(name, numbers);
    const svg = make(row, "svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, "aria-hidden": "true" });
    make(svg, "line", { x1: at(0), x2: at(reach), y1: 9, y2: 9, class: "result-knob-axis" });
    for (let tick = 0; tick <= reach; tick += 5)
      make(svg, "line", { x1: at(tick), x2: at(tick), y1: 6, y2: 12, class: "result-knob-axis" });
    const ink = data.colours[method];
    make(svg, "line", { x1: at(found[1]), x2: at(found[2]), y1: 9, y2: 9, stroke: ink,
                        "stroke-width": 7, "stroke-opacity": 0.45 });
    make(svg, "circle", { cx: at(found[0]), cy: 9, r: 4.5, fill: ink });
    chart.append(row);
  };
  const show = (section) => {
    const name = section.dataset.knob, knob = data.knobs[name];
    const slider = section.querySelector("input"), place = Number(slider.value);
    const value = String(knob.values[place]);
    document.getElementById(slider.id + "-is").textContent = value;
    slider.setAttribute("aria-valuetext", value);
    const image = section.querySelector("img");
    image.src = `_static/turned/${name}-${place}.jpg`;
    image.alt = "A rendered crowd. " + knob.told[place];
    section.querySelector("figcaption").textContent = knob.told[place];
    const chart = section.querySelector(".result-knob-chart");
    chart.replaceChildren();
    const scale = document.createElement("p");
    scale.textContent = `AP from 0 to ${reach} %, a tick every 5`;
    for (const method of Object.keys(data.methods)) line(chart, method, knob.levels[method][place]);
    chart.append(scale);
    const words = Object.keys(data.methods).filter((method) => knob.gains[method].length)
      .map((method) => `${data.methods[method]} ${span(knob.gains[method][place], true)}`);
    section.querySelector(".result-knob-told").textContent =
      `At ${value}, points of AP more than ${Object.values(data.methods)[0]}: ${words.join("; ")}.`;
  };
  for (const section of box.querySelectorAll(".result-knob")) {
    section.addEventListener("input", () => show(section));
    show(section);
  }
})();
