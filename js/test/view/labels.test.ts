import { describe, expect, it } from "vitest";
import type { Direction } from "../../src/core/types";
import { fit, PADDING, type Rect, scale } from "../../src/core/viewport";
import { decodeGraph } from "../../src/sync/decode";
import { type Label, labels } from "../../src/view/labels";
import { drawnHeight, type Look, namesInside } from "../../src/view/look";
import { Scene } from "../../src/view/scene";
import { classifiers, graph, layered, type Spec } from "../fake";

const VIEW = { width: 750, height: 560 };
const LINE = 12;

function look(scene: Scene, zoom?: number): Look {
  const at = fit(scene.graph, VIEW, scene.graph.direction);
  if (zoom) at.zoom = zoom;
  const theme = { scale: 1, font: "sans-serif" };
  const measure = (text: string) => text.length * 7;
  return { scene, at, theme, measure, boxes: scene.boxes(at), view: VIEW, ratio: 1 } as Look;
}

function scene(specs: Spec[], direction: Direction): Scene {
  return new Scene(decodeGraph(graph(specs, { direction })));
}

function all({ scene: { graph } }: Look): number[] {
  return graph.names.map((_, i) => i);
}

/** Boxes as painted, in pixels from the origin of the graph. */
function bars(of: Look): Rect[] {
  const { x, y, w } = of.boxes;
  const [zoom, tall] = [of.at.zoom, drawnHeight(of)];
  return all(of).map((i) => ({
    left: (x[i] - w[i] / 2) * zoom,
    right: (x[i] + w[i] / 2) * zoom,
    top: (y[i] - tall / 2) * zoom,
    bottom: (y[i] + tall / 2) * zoom,
  }));
}

function overlaps(found: Label[], boxes: Rect[]): [string, string][] {
  const lines = found.map(({ text, x, y, width }) => {
    return { text, left: x, right: x + width, top: y - LINE / 2, bottom: y + LINE / 2 };
  });
  const others = [...lines, ...boxes.map((box) => ({ ...box, text: "a box" }))];
  return lines.flatMap((a) =>
    others
      .filter(
        (b) =>
          a !== b && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom,
      )
      .map((b): [string, string] => [a.text, b.text]),
  );
}

describe("names outside the boxes", () => {
  const graphs: [string, Spec[]][] = [
    ["classifiers", classifiers()],
    ["a layered graph", layered(300)],
    ["another shape", layered(120, 30)],
    ["single nodes", Array.from({ length: 40 }, (_, i) => ({ name: `n ${i}`, fn: "f" }))],
  ];
  for (const [what, specs] of graphs) {
    for (const direction of ["LR", "TB"] as const) {
      it(`touch neither each other nor a box: ${what}, ${direction}, at any zoom`, () => {
        const made = scene(specs, direction);
        const fitted = look(made);
        for (let zoom = fitted.at.zoom / 2; zoom < 0.5; zoom *= 1.15) {
          const of = look(made, zoom);
          const found = labels(of, all(of));
          expect(overlaps(found, bars(of))).toEqual([]);
          const end = made.graph.width * scale(of.at).x + PADDING;
          for (const { x, width } of found) expect(x + width).toBeLessThanOrEqual(end);
        }
      });
    }
  }

  it("stand at the nodes that have room, whole, and not at the crowded ones", () => {
    const specs = classifiers();
    const of = look(scene(specs, "LR"));
    expect(namesInside(of)).toBe(false);
    const found = labels(of, all(of));
    const lonely = all(of).filter((i) => specs[i].fn !== "fit_and_score");
    expect(found.map(({ node }) => node)).toEqual(lonely);
    const texts = found.map(({ text }) => text);
    expect(texts).toContain("moons, split");
    expect(texts).toContain("breast cancer, samples");
    expect(texts).toContain("figure of\u2026ision surfaces");
  });

  it("are the same whatever else is in the view", () => {
    const of = look(scene(classifiers(), "LR"));
    const some = [1, 13, 25];
    expect(labels(of, some)).toEqual(labels(of, all(of)).filter(({ node }) => some.includes(node)));
  });

  it("give way to names inside where a stretch makes the boxes long enough", () => {
    const made = scene(classifiers(), "LR");
    expect(namesInside(look(made, 0.25))).toBe(true);
    const plain = look(made, 0.25);
    plain.at = { zoom: 0.25, tx: 0, ty: 0 };
    plain.boxes = made.boxes(plain.at);
    expect(namesInside(plain)).toBe(false);
  });
});
