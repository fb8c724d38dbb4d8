// The page "Try it": a picture, its heatmaps' peaks, their embeddings and the people that grouping
// makes of them. Before the network is loaded: the true joints of a rendered crowd.
document.addEventListener("DOMContentLoaded", () => {
  const data = JSON.parse(document.getElementById("try-data").textContent);
  const byName = (name) => document.getElementById(`try-${name}`);
  const [scene, photo, camera, slider] = ["scene", "photo", "camera", "threshold"].map(byName);
  const canvas = byName("canvas"), overlay = byName("overlay"), plot = byName("plot");
  const STEP = 64; // the sides of what the network sees are multiples of it
  const LONGEST = 8, MOST_PIXELS = 80e6; // as `sparse-ae predict` has them
  const DRAWN = 0.1; // the lowest score of a joint that is drawn
  const SHOWN = 1024; // pixels of the picture's long side on the page
  const WIDE = 100; // of the plot
  const USES_SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1,
                     8, 0, 65, 0, 253, 15, 253, 98, 11]; // a module of one function that does
  let session = null, stream = null, seen = null;

  const say = (text) => { byName("said").textContent = text; };
  const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const attempt = (work) => async () => { // what fails is told, and the page goes on
    try { await work(); } catch (error) { say(error.message || String(error)); }
  };

  // Scripts that hold files as text: a page that was opened from a disk may load nothing else.
  const loadScript = (name) => new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = `_static/try-it/${name}.js`;
    script.onload = () => { script.remove(); done(); };
    script.onerror = () => fail(new Error(`${script.src} cannot be read; is the book complete?`));
    document.head.append(script);
  });
  const unpack = async (name) => {
    const bytes = Uint8Array.from(atob(tryItParts[name]), (letter) => letter.charCodeAt(0));
    delete tryItParts[name];
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  const load = async () => {
    if (!WebAssembly.validate(new Uint8Array(USES_SIMD)))
      throw new Error("This browser's WebAssembly has no SIMD, which the network needs. The " +
        "grouping below works without it.");
    byName("load").disabled = true;
    try {
      say("Loading the network …");
      await loadScript("runtime");
      ort.env.wasm.numThreads = 1;
      ort.env.wasm.wasmBinary = await unpack("wasm");
      const glue = new Blob([await unpack("glue")], { type: "text/javascript" });
      ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(glue) };
      await loadScript("network");
      session = await ort.InferenceSession.create(await unpack("network"));
    } catch (error) {
      byName("load").disabled = false;
      throw new Error(`The network cannot be loaded: ${error.message || error}`);
    }
    photo.disabled = camera.disabled = false;
    say("The network is loaded.");
    await showScene();
  };

  // A picture as the network sees it, and what it says of it.
  const look = async (source, width, height) => {
    const { usage } = data.net, whole = (side) => Math.ceil(side / STEP) * STEP;
    const [short, long] = [Math.min(width, height), Math.max(width, height)];
    if (long > LONGEST * short)
      throw new Error(`${width} × ${height} pixels: longer than ${LONGEST} times the short side.`);
    const size = whole(usage.size), factor = size / short;
    const other = whole(Math.ceil(long * factor - 1e-6));
    const [w, h] = width > height ? [other, size] : [size, other];
    const view = new OffscreenCanvas(w, h).getContext("2d", { alpha: false });
    const left = (w - factor * width) / 2, top = (h - factor * height) / 2;
    view.imageSmoothingQuality = "high";
    view.drawImage(source, left, top, factor * width, factor * height);
    const pixels = Uint8Array.from(view.getImageData(0, 0, w, h).data.filter((_, i) => i % 4 < 3));
    const begun = performance.now();
    const output = await session.run({ image: new ort.Tensor("uint8", pixels, [h, w, 3]) });
    const seconds = (performance.now() - begun) / 1000;
    const [joints, ...fine] = output.heatmaps.dims, [, dim, ...coarse] = output.embeddings.dims;
    const maps = peopleInMaps.enlarge(
      { values: output.heatmaps.data, joints, height: fine[0], width: fine[1] },
      { values: output.embeddings.data, dim, height: coarse[0], width: coarse[1] }, h, w);
    const candidates = peopleInMaps.peaks(maps, usage);
    const at = ({ x, y }) => [(x + 0.5 - left) / factor - 0.5, (y + 0.5 - top) / factor - 0.5];
    return { maps, candidates, usage, at, width, height, seconds };
  };
  const show = async (source, width, height) => {
    const scale = Math.min(1, SHOWN / Math.max(width, height));
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height);
    overlay.setAttribute("viewBox", `-0.5 -0.5 ${width} ${height}`);
    overlay.replaceChildren();
    if (!stream && session) say("The network looks at the picture …");
    await drawn();
    seen = session ? await look(source, width, height) : stored(width, height);
    if (!stream) say(session ? `The network took ${seen.seconds.toFixed(2)} s.` : data.before);
    regroup();
  };
  const stored = (width, height) => {
    const candidates = data.stored.usage.names.map(() => []);
    for (const [joint, x, y, ...tag] of data.scenes[scene.value].joints)
      candidates[joint].push({ x, y, score: 1, tag: Float32Array.from(tag) });
    return { candidates, usage: data.stored.usage, at: ({ x, y }) => [x, y], width, height };
  };

  const picture = (source) => new Promise((done, fail) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = () => fail(new Error("no picture that this browser can show"));
    image.src = source;
  });
  const stopCamera = () => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    camera.textContent = "Start the camera";
  };
  const showScene = async () => {
    stopCamera();
    const image = await picture(data.scenes[scene.value].picture);
    await show(image, image.naturalWidth, image.naturalHeight);
  };
  const showPhoto = async () => {
    const file = photo.files[0];
    if (!file) return;
    stopCamera();
    const address = URL.createObjectURL(file);
    try {
      const image = await picture(address), { naturalWidth: width, naturalHeight: height } = image;
      if (width * height > MOST_PIXELS)
        throw new Error(`${width} × ${height} pixels, more than ${MOST_PIXELS / 1e6} million`);
      if (Math.min(width, height) < 8) throw new Error(`${width} × ${height} pixels: too small`);
      await show(image, width, height);
    } catch (error) {
      throw new Error(`${file.name}: ${error.message || error}`);
    } finally {
      URL.revokeObjectURL(address);
    }
  };
  const film = async () => {
    if (stream) return stopCamera();
    try {
      if (!navigator.mediaDevices) throw new Error("pages at such an address get none");
      stream = await navigator.mediaDevices.getUserMedia({ video: true });
    } catch (error) {
      throw new Error(`No camera: ${error.message || error.name}. Photos and crowds still work.`);
    }
    camera.textContent = "Stop the camera";
    say("The camera's pictures stay in this page.");
    const video = document.createElement("video"), own = stream;
    Object.assign(video, { srcObject: own, muted: true, playsInline: true });
    try {
      await video.play();
      while (stream === own) await show(video, video.videoWidth, video.videoHeight);
    } finally {
      if (stream === own) stopCamera();
    }
  };

  const make = (parent, name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.append(element);
    return element;
  };
  const regroup = () => {
    const threshold = 2 ** slider.value, usage = { ...seen.usage, threshold };
    byName("threshold-is").textContent = threshold.toFixed(2);
    slider.setAttribute("aria-valuetext", threshold.toFixed(2));
    const people = seen.maps ? peopleInMaps.predict(seen.maps, seen.candidates, usage)
      : peopleInMaps.group(seen.candidates, usage.order, usage);
    const inks = new Map(); // of peaks that belong to somebody who is shown
    people.forEach((person, i) => {
      person.ink = data.colours[i % data.colours.length];
      for (const one of person.joints) if (one?.tag) inks.set(one, person.ink);
    });
    const all = seen.candidates.flat().map((one) => ({ ...one, ink: inks.get(one) ?? "#888" }));
    drawPeople(people, all);
    drawPlot(all, threshold);
    const kind = seen.maps ? "peaks" : "true joints";
    byName("told").textContent = `Threshold ${threshold.toFixed(2)}: ${people.length} ` +
      `${people.length === 1 ? "person" : "people"} of ${all.length} ${kind}.`;
    canvas.people = people.map((person) => person.joints.map( // for the console, and for tests
      (one) => (one ? [...seen.at(one), one.score] : [0, 0, 0])));
  };
  const drawPeople = (people, all) => {
    const unit = Math.max(seen.width, seen.height) / WIDE;
    const visible = (one) => one && one.score >= DRAWN;
    overlay.replaceChildren();
    for (const { joints, ink } of people)
      for (const [from, to] of seen.usage.limbs) {
        if (!visible(joints[from]) || !visible(joints[to])) continue;
        const [[x1, y1], [x2, y2]] = [seen.at(joints[from]), seen.at(joints[to])];
        make(overlay, "line", { x1, y1, x2, y2, stroke: "#000", "stroke-width": 1.1 * unit });
        make(overlay, "line", { x1, y1, x2, y2, stroke: ink, "stroke-width": 0.7 * unit });
      }
    for (const one of byName("peaks").checked ? all : []) {
      const [cx, cy] = seen.at(one);
      make(overlay, "circle", { cx, cy, r: (0.4 + 0.8 * Math.min(one.score, 1)) * unit,
        fill: one.ink, stroke: "#fff", "stroke-width": 0.25 * unit });
    }
  };
  const drawPlot = (all, threshold) => {
    plot.replaceChildren();
    for (const line of [{ x1: 0, x2: WIDE, y1: 50, y2: 50 }, { x1: 50, x2: 50, y1: 0, y2: WIDE }])
      make(plot, "line", { ...line, class: "explorer-axis" });
    if (!all.length) return;
    const places = components(all.map((one) => one.tag));
    const reach = 1.1 * Math.max(...places.flat().map(Math.abs), threshold / 2);
    const bar = WIDE / 2 * threshold / reach;
    make(plot, "line", { x1: 4, x2: 4 + bar, y1: 95, y2: 95, class: "explorer-bar" });
    make(plot, "text", { x: 4, y: 93, class: "explorer-text" }).textContent = "grouping threshold";
    places.forEach(([x, y], i) => make(plot, "circle", { cx: WIDE / 2 * (1 + x / reach),
      cy: WIDE / 2 * (1 - y / reach), r: 1.15, fill: all[i].ink, class: "explorer-point" }));
  };
  // Embeddings on their first two principal components, found by power iteration.
  const components = (tags) => {
    const dot = (a, b) => a.reduce((total, value, d) => total + value * b[d], 0);
    const mean = Array.from(tags[0], (_, d) =>
      tags.reduce((all, tag) => all + tag[d], 0) / tags.length);
    const centred = tags.map((tag) => mean.map((value, d) => tag[d] - value)), axes = [];
    for (let axis = 0; axis < 2; axis++) {
      let along = mean.map((_, d) => Math.cos(d + 1));
      for (let i = 0; i < 100; i++) {
        for (const other of axes) {
          const share = dot(along, other);
          along = along.map((value, d) => value - share * other[d]);
        }
        const next = mean.map(() => 0);
        for (const point of centred) {
          const share = dot(point, along);
          point.forEach((value, d) => { next[d] += share * value; });
        }
        const length = Math.hypot(...next) || 1;
        along = next.map((value) => value / length);
      }
      axes.push(along);
    }
    return centred.map((point) => axes.map((along) => dot(point, along)));
  };

  byName("load")?.addEventListener("click", attempt(load));
  scene.addEventListener("input", attempt(showScene));
  photo.addEventListener("change", attempt(showPhoto));
  camera.addEventListener("click", attempt(film));
  slider.addEventListener("input", () => seen && regroup());
  byName("peaks").addEventListener("input", () => seen && regroup());
  attempt(showScene)();
});
