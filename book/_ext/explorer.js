document.addEventListener("DOMContentLoaded", () => {
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const SPACE = "http://www.w3.org/2000/svg";
  const WIDE = 100; // both panels' coordinates run from 0 to this
  const PLACE = WIDE / data.size; // of a pixel
  const colour = (person) => data.colours[person % data.colours.length];
  const make = (parent, name, attributes) => {
    const element = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.append(element);
    return element;
  };
  const at = (pixel) => (pixel + 0.5) * PLACE;
  const picture = (svg, scene) => {
    svg.replaceChildren();
    make(svg, "image", { href: `_static/explorer/${scene}.jpg`, width: WIDE, height: WIDE });
  };
  const lines = (svg, joints, ink) => {
    for (const [from, to] of data.limbs) {
      if (!joints[from] || !joints[to]) continue;
      const ends = { x1: at(joints[from][0]), y1: at(joints[from][1]),
                     x2: at(joints[to][0]), y2: at(joints[to][1]) };
      make(svg, "line", { ...ends, stroke: "#fff", "stroke-width": 1.5 });
      make(svg, "line", { ...ends, stroke: ink, "stroke-width": 0.8 });
    }
  };
  const dot = (svg, x, y, ink, wrong) => {
    const group = make(svg, "g", { class: "explorer-dot" });
    if (wrong) make(group, "circle", { cx: x, cy: y, r: 2.1, class: "explorer-ring" });
    make(group, "circle", { cx: x, cy: y, r: 1.15, fill: ink, class: "explorer-point" });
    return group;
  };

  const explore = (box) => {
    const scene = document.getElementById("explorer-scene");
    const methods = ["explorer-method", "explorer-beside"].map((id) => document.getElementById(id));
    const [method] = methods; // what the scene shows
    const people = document.getElementById("explorer-people");
    const space = document.getElementById("explorer-space");
    const [left, ...plots] = box.querySelectorAll("svg");
    const told = box.querySelector(".explorer-told");
    let turn = 0.6, tilt = 0.4, pairs = [], lit = -1;

    const project = ([x, y, z]) => {
      if (!space.checked) return [x, y];
      const along = x * Math.cos(turn) + z * Math.sin(turn);
      const deep = z * Math.cos(turn) - x * Math.sin(turn);
      return [along, y * Math.cos(tilt) - deep * Math.sin(tilt)];
    };
    const say = (index) => {
      const here = data.scenes[scene.value], view = here.views[method.value];
      const step = view.steps[data.used], count = here.person.length;
      if (index < 0) {
        told.textContent = methods.map(({ value }) => {
          const { share, steps } = here.views[value];
          const wrong = [...steps[data.used].right].filter((one) => one === "0").length;
          return `${data.methods[value]}: ${share} % of the variance on the first component; ` +
            `${wrong} of ${count} joints are grouped wrongly and ringed. `;
        }).join("") + "Point at a joint, or move to one by Tab and the arrow keys.";
        if (people.checked) told.textContent += ` Drawn: ${view.people.length || "no"} decoded ` +
          `person${view.people.length === 1 ? "" : "s"} with a mean score from ${data.least} on.`;
        return;
      }
      const state = step.right[index] === "1" ? "grouped rightly" : "grouped wrongly";
      told.textContent = `Person ${here.person[index] + 1}, ${data.joints[here.joint[index]]}: ` +
        `${data.methods[method.value]} has it ${state}, in group ${step.group[index] + 1} of ${step.groups}.`;
    };
    const light = (index) => {
      for (const dots of pairs) for (const one of dots) one.classList.remove("lit");
      lit = index;
      if (index >= 0) for (const one of pairs[index]) one.classList.add("lit");
      say(index);
    };
    const plot = (svg, here, view) => {
      svg.replaceChildren();
      const flat = view.points.map(project);
      const reach = 1.1 * Math.max(...view.points.flat().map(Math.abs), 1e-6);
      const [x, y] = [0, 1].map((axis) => flat.map((p) => WIDE / 2 * (1 + (axis ? -1 : 1) * p[axis] / reach)));
      for (const line of [{ x1: 0, x2: WIDE, y1: 50, y2: 50 }, { x1: 50, x2: 50, y1: 0, y2: WIDE }])
        make(svg, "line", { ...line, class: "explorer-axis" });
      const bar = WIDE / 2 * data.thresholds[data.used] / reach;
      make(svg, "line", { x1: 4, x2: 4 + bar, y1: 95, y2: 95, class: "explorer-bar" });
      make(svg, "text", { x: 4, y: 93, class: "explorer-text" }).textContent = "grouping threshold";
      const right = view.steps[data.used].right;
      return here.person.map((person, index) =>
        dot(svg, x[index], y[index], colour(person), right[index] === "0"));
    };
    const draw = () => {
      const here = data.scenes[scene.value], view = here.views[method.value];
      const step = view.steps[data.used];
      picture(left, scene.value);
      if (people.checked) view.people.forEach((joints, person) => lines(left, joints, colour(person)));
      const dots = plots.map((svg, index) => plot(svg, here, here.views[methods[index].value]));
      pairs = here.person.map((person, index) => {
        const [px, py] = here.at[index].map(at);
        return [dot(left, px, py, colour(person), step.right[index] === "0"),
                ...dots.map((of) => of[index])];
      });
      pairs.forEach((dots, index) => dots.forEach((one) => {
        one.addEventListener("pointerenter", () => light(index));
      }));
      light(-1);
    };
    for (const panel of [left, ...plots]) {
      panel.setAttribute("tabindex", "0");
      panel.addEventListener("pointerleave", () => light(-1));
      panel.addEventListener("keydown", (event) => {
        const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!by) return;
        event.preventDefault();
        if (event.shiftKey && space.checked) {
          if (event.key.endsWith("Left") || event.key.endsWith("Right")) turn += 0.15 * by;
          else tilt += 0.15 * by;
          draw();
        } else light((lit + by + pairs.length + (lit < 0 && by < 0)) % pairs.length);
      });
    }
    for (const svg of plots) svg.addEventListener("pointermove", (event) => {
      if (!space.checked || !event.buttons) return;
      turn += event.movementX / 120;
      tilt += event.movementY / 120;
      draw();
    });
    box.addEventListener("input", draw);
    draw();
  };

  const threshold = (box) => {
    const scene = document.getElementById("threshold-scene");
    const slider = document.getElementById("threshold-at");
    const told = box.querySelector(".explorer-told");
    const draw = () => {
      const value = data.thresholds[slider.value], here = data.scenes[scene.value];
      document.getElementById("threshold-is").textContent = value.toFixed(2);
      slider.setAttribute("aria-valuetext", value.toFixed(2));
      const words = [];
      for (const svg of box.querySelectorAll("svg")) {
        const method = svg.dataset.method, step = here.views[method].steps[slider.value];
        picture(svg, scene.value);
        const groups = Array.from({ length: step.groups }, () => ({}));
        here.joint.forEach((joint, index) => { groups[step.group[index]][joint] = here.at[index]; });
        groups.forEach((joints, group) => lines(svg, joints, colour(group)));
        here.at.forEach((place, index) => {
          dot(svg, at(place[0]), at(place[1]), colour(step.group[index]), step.right[index] === "0");
        });
        const text = `${step.groups} groups for ${new Set(here.person).size} persons, ` +
          `${step.accuracy.toFixed(1)} % of joints right, group margin ` +
          `${step.margin.toFixed(2).replace("-", "−")}`;
        box.querySelector(`p[data-method="${method}"]`).textContent = text;
        svg.setAttribute("aria-label", `The scene under ${data.methods[method]}: ${text}`);
        words.push(`${data.methods[method]}: ${text}.`);
      }
      told.textContent = `At threshold ${value.toFixed(2)}. ${words.join(" ")}`;
    };
    box.addEventListener("input", draw);
    draw();
  };

  const steps = (box) => {
    const followed = data.followed, slider = document.getElementById("steps-at");
    const told = box.querySelector(".explorer-told");
    const [scene, ...plots] = box.querySelectorAll("svg");
    make(scene, "image", { href: "_static/explorer/followed.jpg", width: WIDE, height: WIDE });
    followed.at.forEach((place, index) =>
      dot(scene, at(place[0]), at(place[1]), colour(followed.person[index]), false));
    const draw = () => {
      const step = followed.steps[slider.value];
      document.getElementById("steps-is").textContent = step;
      slider.setAttribute("aria-valuetext", `step ${step}`);
      const words = plots.map((svg) => {
        const { points, share } = followed.methods[svg.dataset.method][slider.value];
        svg.replaceChildren();
        const reach = 1.1 * Math.max(...points.flat().map(Math.abs), 1e-6);
        points.forEach(([x, y], index) => dot(svg, WIDE / 2 * (1 + x / reach), WIDE / 2 * (1 - y / reach),
                                              colour(followed.person[index]), false));
        const bar = Math.min(WIDE / 2 / reach, 92);
        make(svg, "line", { x1: 4, x2: 4 + bar, y1: 95, y2: 95, class: "explorer-bar" });
        const text = `${share.toFixed(1)} % on the first component`;
        box.querySelector(`p[data-method="${svg.dataset.method}"]`).textContent = text;
        return `${data.methods[svg.dataset.method]}: ${text}`;
      });
      told.textContent = `After step ${step}. ${words.join("; ")}.`;
    };
    box.addEventListener("input", draw);
    draw();
  };

  const boxes = [["explorer", explore], ["threshold", threshold], ["steps", steps]];
  for (const [name, start] of boxes) {
    const box = document.getElementById(name);
    if (box) start(box);
  }
});
