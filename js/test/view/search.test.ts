// @vitest-environment jsdom
import { describe, expect, it, vi } from "vitest";
import type { Handle } from "../../src/view/root";
import widget from "../../src/widget";
import { classifiers, evaluated, FakeModel, graph, status } from "../fake";
import { freshBrowser } from "./browser";

const SPECS = classifiers(["moons", "circles"]);
const NAMES = SPECS.map((spec) => spec.name);
const page = freshBrowser();

function open() {
  const model = new FakeModel({ _graph: graph(SPECS), _status: status(SPECS.length) });
  const { initialize, render } = widget();
  const answer = (): void =>
    model.set("_matches", evaluated(NAMES, model.traits.query ?? "", model.traits._matches));
  initialize({ model });
  const view = () => {
    const el = document.body.appendChild(document.createElement("div"));
    render({ model, el });
    page.resize(800, 400);
    const root = el.firstElementChild as HTMLElement & { fuse: Handle };
    const part = <T extends HTMLElement>(role: string): T =>
      root.querySelector(`[data-fuse-role="${role}"]`) as T;
    const field = part<HTMLInputElement>("search");
    const key = (to: HTMLElement, name: string, more = {}): boolean =>
      to.dispatchEvent(
        new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more }),
      );
    const type = (text: string): void => {
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    };
    const text = (name: string): string => root.querySelector(`.fuse-${name}`)?.textContent ?? "";
    const middle = (name: string): boolean => {
      const at = root.fuse.nodeCentre(name);
      return Math.abs((at?.x ?? 0) - 400) < 1 && Math.abs((at?.y ?? 0) - 200) < 1;
    };
    return { root, part, field, key, type, text, middle };
  };
  return { model, view, answer };
}

describe("the search field", () => {
  it("shows the count, says on the root what is painted, and is shared by two views", () => {
    const { model, view, answer } = open();
    const [one, two] = [view(), view()];
    one.type(".*SVM.*");
    expect(two.field.value).toBe(".*SVM.*");
    expect(one.root.querySelector(".fuse-search")?.className).toContain("fuse-pending");
    vi.advanceTimersByTime(30);
    answer();
    page.frame();
    for (const { root, text } of [one, two]) {
      expect(root.dataset.fuseMatches).toBe("4");
      expect(text("count")).toBe(`4 of ${NAMES.length}`);
    }
    one.part("select-matches").click();
    expect(model.traits.selected).toEqual(NAMES.filter((name) => name.includes("SVM")));
    one.key(one.field, "Escape");
    page.frame();
    expect([model.traits.query, two.field.value, two.root.dataset.fuseMatches]).toEqual([
      "",
      "",
      "0",
    ]);
  });

  it("goes through the matches with buttons and with Enter, as soon as they are there", () => {
    const { view, answer } = open();
    const { field, part, key, type, middle, text } = view();
    type(".*SVM.*");
    key(field, "Enter");
    answer();
    expect(middle("moons, Linear SVM-model")).toBe(true);
    expect(text("hint")).toBe("match 1 of 4");
    key(field, "Enter");
    expect(middle("moons, RBF SVM-model")).toBe(true);
    part("previous").click();
    key(field, "Enter", { shiftKey: true });
    expect(middle("circles, RBF SVM-model")).toBe(true);
    part("next").click();
    expect(middle("moons, Linear SVM-model")).toBe(true);
  });

  it("keeps the matches of a broken pattern and shows what is wrong as text", () => {
    const { model, view, answer } = open();
    const { root, field, type, text, part } = view();
    type(".*SVM.*");
    vi.advanceTimersByTime(30);
    answer();
    type("<b>(");
    vi.advanceTimersByTime(30);
    answer();
    page.frame();
    expect(text("problem")).toContain("<b>(");
    expect(field.getAttribute("aria-invalid")).toBe("true");
    expect(root.dataset.fuseMatches).toBe("4");
    model.set("query", "nothing like this");
    answer();
    page.frame();
    expect([field.value, text("problem"), text("count")]).toEqual([
      "nothing like this",
      "",
      "no match",
    ]);
    expect([root.dataset.fuseMatches, part<HTMLButtonElement>("next").disabled]).toEqual([
      "0",
      true,
    ]);
  });

  it("offers a pattern where what was typed is only a part of names", () => {
    const { model, view, answer } = open();
    const { root, field, type, text, part } = view();
    type("SVM");
    vi.advanceTimersByTime(30);
    answer();
    expect(text("advice")).toBe("no whole name matches; 4 contain it: .*SVM.*");
    part("advice").click();
    expect([model.traits.query, field.value]).toEqual([".*SVM.*", ".*SVM.*"]);
    answer();
    page.frame();
    expect([root.dataset.fuseMatches, text("advice")]).toEqual(["4", ""]);
    expect(document.activeElement).toBe(field);
  });

  it("gets the focus with a slash from anywhere in the widget, and gives it back with Esc", () => {
    const { view } = open();
    const { root, field, key } = view();
    const stage = root.querySelector(".fuse-stage") as HTMLElement;
    stage.focus();
    expect(key(stage, "/")).toBe(false);
    expect(document.activeElement).toBe(field);
    expect(key(field, "/")).toBe(true);
    key(field, "Escape");
    expect(document.activeElement).toBe(stage);
  });

  it("paints nothing while something is typed that has no answer", () => {
    const { view } = open();
    const { root, type } = view();
    page.frame();
    const painted = root.dataset.fusePainted;
    type("a");
    expect(page.open().frames).toBe(0);
    expect(root.dataset.fusePainted).toBe(painted);
  });
});
