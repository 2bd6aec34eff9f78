import { describe, expect, it } from "vitest";
import { linksOf, row } from "../../src/core/links";
import type { Graph } from "../../src/core/types";
import { between, relatives, step } from "../../src/core/walk";
import { decodeGraph } from "../../src/sync/decode";
import { classifiers, graph, randomDag, type Spec } from "../fake";

const made = (specs: Spec[], options = {}): Graph => decodeGraph(graph(specs, options));
const dag = (...edges: [number, number][]): Graph => {
  const n = Math.max(0, ...edges.flat()) + 1;
  return made(
    Array.from({ length: n }, (_, i) => ({
      name: `n${i}`,
      fn: "f",
      parents: edges.filter(([, to]) => to === i).map(([from]) => from),
    })),
  );
};
/** reach[a][b]: whether a path of at least one edge leads from a down to b. By definition, not by search. */
function closure(g: Graph): boolean[][] {
  const n = g.names.length;
  const reach = Array.from({ length: n }, () => new Array<boolean>(n).fill(false));
  for (let e = 0; e < g.edges.length; e += 2) reach[g.edges[e]][g.edges[e + 1]] = true;
  for (let k = 0; k < n; k++)
    for (let a = 0; a < n; a++)
      for (let b = 0; b < n; b++) reach[a][b] ||= reach[a][k] && reach[k][b];
  return reach;
}
const where = (n: number, holds: (i: number) => boolean): number[] =>
  Array.from({ length: n }, (_, i) => i).filter(holds);

describe("links", () => {
  it("give parents and children, of a graph once", () => {
    const g = dag([0, 1], [0, 2], [1, 3], [2, 3]);
    const { parents, children } = linksOf(g);
    expect([...row(children, 0)]).toEqual([1, 2]);
    expect([...row(parents, 3)]).toEqual([1, 2]);
    expect([...row(parents, 0), ...row(children, 3)]).toEqual([]);
    expect(linksOf(g)).toBe(linksOf(g));
  });
  it("are those of the nodes where boxes hide some", () => {
    const g = { ...dag([0, 1], [1, 2]), edges: Uint32Array.of(0, 3, 3, 2) };
    expect([...row(linksOf({ ...g, links: Uint32Array.of(0, 1, 1, 2) }).children, 0)]).toEqual([1]);
  });
  it("may be none", () => {
    const { parents } = linksOf(made([]));
    expect(parents.at.length).toBe(1);
    expect([...row(linksOf(made([{ name: "a", fn: "f" }])).children, 0)]).toEqual([]);
  });
});

describe("relatives and paths in random graphs", () => {
  it.each(Array.from({ length: 30 }, (_, seed) => seed))(
    "agree with the definition (%i)",
    (seed) => {
      const n = 1 + (seed % 14);
      const g = made(randomDag(n, seed));
      const links = linksOf(g);
      const reach = closure(g);
      for (let a = 0; a < n; a++) {
        expect([...relatives(links, [a], "descendants")]).toEqual(where(n, (i) => reach[a][i]));
        expect([...relatives(links, [a], "ancestors")]).toEqual(where(n, (i) => reach[i][a]));
        for (let b = 0; b < n; b++) {
          const joined = a === b || reach[a][b] || reach[b][a];
          const on = where(
            n,
            (i) =>
              joined &&
              (i === a || i === b || (reach[a][i] && reach[i][b]) || (reach[b][i] && reach[i][a])),
          );
          expect([...between(links, a, b)]).toEqual(on);
        }
      }
      const both = [0, n - 1];
      expect([...relatives(links, both, "children")]).toEqual(
        [...new Set(both.flatMap((i) => [...row(links.children, i)]))].sort((p, q) => p - q),
      );
      expect([...relatives(links, both, "ancestors")]).toEqual(
        where(n, (i) => both.some((j) => reach[i][j])),
      );
    },
  );
  it("take all ways between two nodes, whichever comes first", () => {
    const links = linksOf(dag([0, 1], [1, 2], [2, 4], [0, 3], [3, 4]));
    expect([...between(links, 4, 0)]).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("arrow keys", () => {
  const specs = classifiers(["moons"]);
  const at = (g: Graph, name: string): number => g.names.indexOf(name);

  it("walk along edges to what stands nearest", () => {
    const g = made(specs);
    const split = at(g, "moons, split");
    const child = step(g, split, "right");
    const distance = (i: number): number => Math.abs(g.y[i] - g.y[split]);
    const all = [...row(linksOf(g).children, split)];
    expect(distance(child)).toBe(Math.min(...all.map(distance)));
    expect(step(g, child, "left")).toBe(split);
    expect(step(g, at(g, "moons, samples"), "left")).toBe(-1);
    expect(step(g, at(g, "report"), "right")).toBe(-1);
  });
  it("prefer the nodes they came by, the last of them first", () => {
    const g = made(specs);
    const split = at(g, "moons, split");
    const children = [...row(linksOf(g).children, split)];
    expect(step(g, split, "right", [children[0], split])).toBe(children[0]);
    expect(step(g, split, "right", [children[0], split, children[7], split])).toBe(children[7]);
    expect(step(g, split, "left", [children[0], split])).toBe(at(g, "moons, samples"));
  });

  it("go through a layer, each node once, and back the same way", () => {
    for (const direction of ["LR", "TB"] as const) {
      const g = made(specs, { direction });
      const [on, back] =
        direction === "LR" ? (["down", "up"] as const) : (["right", "left"] as const);
      const models = [...row(linksOf(g).children, at(g, "moons, split"))];
      const side = direction === "LR" ? g.y : g.x;
      const order = models.sort((a, b) => side[a] - side[b]);
      let i = order[0];
      expect(step(g, i, back)).toBe(-1);
      const seen = [i];
      for (let next = step(g, i, on); next >= 0; next = step(g, i, on)) {
        expect(step(g, next, back)).toBe(i);
        i = next;
        seen.push(i);
      }
      expect(seen).toEqual(order);
    }
  });
  it("turn with the graph", () => {
    const g = made(specs, { direction: "TB" });
    const split = at(g, "moons, split");
    expect([...row(linksOf(g).children, split)]).toContain(step(g, split, "down"));
    expect(g.names[step(g, split, "up")]).toBe("moons, samples");
  });
  it("reach nodes in a box, one after another", () => {
    const g = dag([0, 1], [0, 2], [0, 3]);
    const [x, y, w] = [g.x, g.y, g.w].map((c) => [...c]);
    const hidden = (list: number[], own: number): Float32Array => {
      for (const i of [1, 2, 3]) list[i] = Number.NaN;
      return Float32Array.from([...list, own]);
    };
    const boxed: Graph = {
      ...g,
      x: hidden(x, 200),
      y: hidden(y, y[0]),
      w: Float32Array.from([...w, 96]),
      links: g.edges,
      edges: Uint32Array.of(0, 4),
      box: Uint32Array.of(0, 4, 4, 4),
    };
    expect(step(boxed, 0, "right")).toBe(1);
    expect(step(boxed, 1, "down")).toBe(2);
    expect(step(boxed, 2, "down")).toBe(3);
    expect(step(boxed, 3, "down")).toBe(-1);
    expect(step(boxed, 3, "up")).toBe(2);
    expect(step(boxed, 3, "left")).toBe(0);
  });
  it("lead somewhere else or nowhere, and the same every time, in random graphs", () => {
    for (let seed = 0; seed < 20; seed++) {
      const g = made(randomDag(1 + seed, seed));
      for (let i = 0; i < g.names.length; i++) {
        for (const arrow of ["left", "right", "up", "down"] as const) {
          const to = step(g, i, arrow);
          expect(to).not.toBe(i);
          expect(to).toBeGreaterThanOrEqual(-1);
          expect(to).toBe(step(g, i, arrow));
          if (arrow === "right" && to >= 0) expect([...row(linksOf(g).children, i)]).toContain(to);
        }
      }
    }
  });
});
