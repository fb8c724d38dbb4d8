// Candidates and maps to people: in the page what `sparse_ae.grouping.group` (rule "released"),
// `decoding.decode` and `nms.oks_nms` do. Single precision where they compute in it, sums in
// NumPy's order: groups depend on the last bit where two distances are nearly equal.
// K joints, D dimensions of an embedding (at most 128), maps as { values, height, width }.
const peopleInMaps = (() => {
  const FAR = 1e5; // the cost of a pair that should not be, and of founding a person
  const RADIUS = 2; // cells around a peak that are not higher
  const BOX_AREA = 0.53; // of a person, as a share of the box about its joints
  const f = Math.fround;
  const rint = (x) => { // half to even
    const up = Math.round(x);
    return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
  };

  // The sum of a Float32Array, in place: every eighth number apart, if there are eight.
  const sum = (v) => {
    const whole = v.length - (v.length % 8);
    for (let i = 8; i < whole; i++) v[i % 8] += v[i];
    for (const step of whole ? [1, 2, 4] : [])
      for (let i = 0; i < 8; i += 2 * step) v[i] += v[i + step];
    for (let i = whole || 1; i < v.length; i++) v[0] += v[i];
    return v[0];
  };
  const distance = (tag, mean) => {
    const square = tag.map((value, d) => value - mean[d]);
    return f(Math.sqrt(sum(square.map((value) => value * value))));
  };

  // Each row of costs gets a column of its own, at the lowest total: shortest augmenting paths,
  // with the choices among equal costs that `runtime.assignment.assign` makes.
  const assign = (cost, columns) => {
    const rowPrice = new Float64Array(cost.length), columnPrice = new Float64Array(columns);
    const columnOf = Array(cost.length).fill(-1), rowOf = Array(columns).fill(-1);
    for (let start = 0; start < cost.length; start++) {
      const far = Array(columns).fill(Infinity), before = Array(columns);
      const unreached = Array.from(far, (_, i) => columns - 1 - i);
      let left = columns, reached = 0, row = start, column;
      do {
        let nearest = -1, lowest = Infinity;
        for (let i = 0; i < left; i++) {
          column = unreached[i];
          const length = reached + cost[row][column] - rowPrice[row] - columnPrice[column];
          if (length < far[column]) [before[column], far[column]] = [row, length];
          if (far[column] < lowest || (far[column] === lowest && rowOf[column] < 0))
            [lowest, nearest] = [far[column], i];
        }
        [reached, left, column] = [lowest, left - 1, unreached[nearest]];
        [unreached[nearest], unreached[left]] = [unreached[left], column];
        row = rowOf[column];
      } while (row >= 0);
      rowPrice[start] += reached;
      for (const seen of unreached.slice(left)) {
        if (rowOf[seen] >= 0) rowPrice[rowOf[seen]] += reached - far[seen];
        columnPrice[seen] -= reached - far[seen];
      }
      do { // along the path, every row passes its column on
        row = before[column];
        rowOf[column] = row;
        [columnOf[row], column] = [column, columnOf[row]];
      } while (row !== start);
    }
    return columnOf;
  };

  // candidates: for each joint a list of { score, tag: Float32Array, … }. Returns people in the
  // order of their founding, each { joints: K candidates or null, mean: its tag }.
  const group = (candidates, order, { minScore, threshold }) => {
    const people = [], least = f(minScore), limit = f(threshold);
    for (const joint of order) {
      const own = candidates[joint].filter((one) => one.score > least);
      const apart = own.map((one) => people.map((person) => distance(one.tag, person.mean)));
      const columns = Math.max(own.length, people.length);
      const cost = apart.map((row, i) => Array.from({ length: columns }, (_, p) => {
        const rounded = rint(f(row[p] / limit)); // NaN where there is no person
        return rounded <= 1 ? f(rounded - own[i].score) : FAR;
      }));
      const column = assign(cost, columns);
      own.forEach((one, i) => {
        let person = people[column[i]];
        if (!(apart[i][column[i]] <= limit)) {
          person = { joints: candidates.map(() => null), total: one.tag.map(() => 0), count: 0 };
          people.push(person);
        }
        person.joints[joint] = one;
        person.total = person.total.map((value, d) => value + one.tag[d]);
        person.count += 1;
      });
      for (const person of people) person.mean = person.total.map((value) => value / person.count);
    }
    return people;
  };

  // For each of `target` cells along a side, its two of `cells` and the second one's weight.
  const taps = (cells, target) => Array.from({ length: target }, (_, i) => {
    const place = Math.max(0, (cells / target) * (i + 0.5) - 0.5), first = Math.floor(place);
    return { first, second: Math.min(first + 1, cells - 1), weight: place - first };
  });
  const reader = (map, height, width) => { // of an enlarged map, cell by cell
    const rows = taps(map.height, height), columns = taps(map.width, width), { values } = map;
    return (layer, y, x) => {
      const row = rows[y], { first, second, weight } = columns[x];
      const upper = (layer * map.height + row.first) * map.width;
      const lower = (layer * map.height + row.second) * map.width;
      const above = values[upper + first] * (1 - weight) + values[upper + second] * weight;
      const below = values[lower + first] * (1 - weight) + values[lower + second] * weight;
      return above * (1 - row.weight) + below * row.weight;
    };
  };

  // The net's heatmaps (K, h, w), as large as the image, and how its embeddings are read.
  const enlarge = (heatmaps, embeddings, height, width) => {
    const read = reader(heatmaps, height, width), cells = height * width;
    const tag = reader(embeddings, height, width);
    const heat = Array.from({ length: heatmaps.joints }, (_, k) => {
      const map = new Float32Array(cells);
      for (let y = 0, cell = 0; y < height; y++)
        for (let x = 0; x < width; x++, cell++) map[cell] = read(k, y, x);
      return map;
    });
    return { heat, height, width, dim: embeddings.dim, tag: (k, d, cell) =>
      tag(k * embeddings.dim + d, Math.floor(cell / width), cell % width) };
  };

  // A joint in a cell: a quarter of a cell off its centre, towards the higher neighbours.
  const jointIn = ({ heat, height, width }, k, cell) => {
    const y = Math.floor(cell / width), x = cell % width, map = heat[k];
    const at = (v, u) => map[Math.min(Math.max(v, 0), height - 1) * width +
      Math.min(Math.max(u, 0), width - 1)];
    const right = at(y, x + 1) > at(y, x - 1), below = at(y + 1, x) > at(y - 1, x);
    return { x: x + (right ? 0.25 : -0.25), y: y + (below ? 0.25 : -0.25), score: map[cell], cell };
  };

  // The highest peaks of each joint's heatmap, with their embeddings.
  const peaks = (maps, { minScore, most }) => maps.heat.map((map, k) => {
    const { height, width } = maps, found = [];
    const highest = (y, x, value) => {
      for (let v = Math.max(0, y - RADIUS); v <= Math.min(height - 1, y + RADIUS); v++)
        for (let u = Math.max(0, x - RADIUS); u <= Math.min(width - 1, x + RADIUS); u++)
          if (map[v * width + u] > value) return false;
      return true;
    };
    for (let cell = 0; cell < map.length; cell++)
      if (map[cell] > f(minScore) && highest(Math.floor(cell / width), cell % width, map[cell]))
        found.push(cell);
    return found.sort((a, b) => map[b] - map[a] || a - b).slice(0, most).map((cell) => ({
      ...jointIn(maps, k, cell),
      tag: Float32Array.from({ length: maps.dim }, (_, d) => maps.tag(k, d, cell)),
    }));
  });

  // The cell with the largest heatmap − round(‖tag − mean‖). A cell can win only with a distance
  // that rounds to what its heatmap is above the best: most are left after a dimension or none.
  const bestCell = (maps, k, person) => {
    const map = maps.heat[k];
    let best = -Infinity, at = 0;
    const look = (cell) => {
      const limit = (Math.floor(map[cell] - best + 1e-5) + 0.5) ** 2 * 1.0001;
      let square = 0;
      for (let d = 0; d < maps.dim && square <= limit; d++)
        square += (maps.tag(k, d, cell) - person.mean[d]) ** 2;
      const value = square <= limit ? map[cell] - rint(Math.sqrt(square)) : -Infinity;
      if (value > best || (value === best && cell < at)) [best, at] = [value, cell];
    };
    for (const one of person.joints) if (one) look(one.cell);
    for (let cell = 0; cell < map.length; cell++) if (map[cell] >= best) look(cell);
    return at;
  };

  // The people whom OKS finds no better one for, best first.
  const distinct = (people, sigmas) => {
    const kept = [];
    for (const person of people) {
      const found = person.joints.filter((one) => one.score > 0);
      const side = (axis) => {
        const values = found.map((one) => one[axis]);
        return Math.max(...values) - Math.min(...values);
      };
      const area = Math.max(found.length ? BOX_AREA * side("x") * side("y") : 0, 1);
      const like = (other) => {
        const each = sigmas.flatMap((sigma, k) => {
          const [a, b] = [person.joints[k], other.joints[k]];
          const square = (a.x - b.x) ** 2 + (a.y - b.y) ** 2;
          const spread = 2 * area * (2 * sigma) ** 2;
          return a.score > 0 && b.score > 0 ? Math.exp(-square / spread) : [];
        });
        return each.length > 0 && each.reduce((one, two) => one + two) / each.length >= 0.5;
      };
      if (!kept.some(like)) kept.push(person);
    }
    return kept;
  };

  // People in enlarged maps, as `Predictor.predict` shows them, in the view's pixels.
  const predict = (maps, candidates, usage) => {
    const people = group(candidates, usage.order, usage), joints = usage.order.length;
    for (const person of people)
      person.score = person.joints.reduce((all, one) => all + (one?.score ?? 0), 0) / joints;
    const shown = people.filter((person) => person.score >= usage.minPersonScore);
    for (const person of shown) // the scores are those before; most people are left out
      person.joints.forEach((one, k) => {
        person.joints[k] ??= jointIn(maps, k, bestCell(maps, k, person));
      });
    return distinct(shown.sort((a, b) => b.score - a.score), usage.sigmas);
  };

  return { assign, distinct, enlarge, group, peaks, predict };
})();
