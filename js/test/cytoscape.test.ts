import { describe, expect, it, vi } from "vitest";
import link, { type Cy, type CyModel, type CyNode, type CyView } from "../src/cytoscape";

type Listener = (event: { target: CyNode }) => void;

/** A cytoscape.js whose nodes behave as in ipycytoscape: what was unselected cannot be selected any more. */
class FakeCy implements Cy {
  listeners: [string, Listener][] = [];
  all: CyNode[] = [];
  readonly lit = new Set<string>();
  readonly locked = new Set<string>();

  constructor(ids: string[]) {
    for (const id of ids) this.add(id);
  }

  add(id: string): void {
    const turn = (to: boolean): void => {
      if (this.lit.has(id) === to || this.locked.has(id)) return;
      if (to) this.lit.add(id);
      else {
        this.lit.delete(id);
        this.locked.add(id);
      }
      this.emit(to ? "select" : "unselect", node);
    };
    const node: CyNode = {
      id: () => id,
      selected: () => this.lit.has(id),
      select: () => turn(true),
      unselect: () => turn(false),
      selectify: () => this.locked.delete(id),
    };
    this.all.push(node);
    this.emit("add", node);
  }

  emit(name: string, target: CyNode): void {
    for (const [names, listener] of this.listeners) {
      if (names.split(" ").includes(name)) listener({ target });
    }
  }

  nodes = () => this.all;
  on = (events: string, _selector: string, listener: Listener) =>
    this.listeners.push([events, listener]);
  batch = (change: () => void) => change();

  /** What a click does. */
  click(id: string): void {
    for (const node of this.all) if (node.id() !== id) node.unselect();
    this.all.find((node) => node.id() === id)?.select();
  }
}

class FakeModel {
  chosen: string[] = [];
  saved: string[][] = [];
  private listeners: (() => void)[] = [];
  readonly widget_manager: { get_model: (id: string) => Promise<CyModel> };

  constructor(get_model: (id: string) => Promise<CyModel>) {
    this.widget_manager = { get_model };
  }

  get(name: "chosen"): string[];
  get(name: "target"): string;
  get(name: string): string | string[] {
    return name === "target" ? "the graph" : this.chosen;
  }

  set(_name: "chosen", value: string[]): void {
    this.chosen = value;
    for (const listener of this.listeners) listener();
  }

  save_changes(): void {
    this.saved.push(this.chosen);
  }

  on(event: string, listener: () => void): void {
    expect(event).toBe("change:chosen");
    this.listeners.push(listener);
  }
}

const shown = (cy: Cy): Promise<CyView> =>
  Promise.resolve({ displayed: Promise.resolve(), cytoscape_obj: cy });
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

async function linked(...views: FakeCy[]): Promise<{ model: FakeModel; target: CyModel }> {
  const target: CyModel = { views: {} };
  views.forEach((cy, number) => {
    target.views[`view ${number}`] = shown(cy);
  });
  const model = new FakeModel(async () => target);
  link.initialize({ model });
  await settled();
  return { model, target };
}

describe("selection of a cytoscape graph", () => {
  it("tells the kernel once of what one click does", async () => {
    const cy = new FakeCy(["a", "b", "c"]);
    const { model } = await linked(cy);
    cy.click("a");
    await settled();
    cy.click("b");
    await settled();
    expect(model.saved).toEqual([["a"], ["b"]]);
  });

  it("lets a node be selected again that was unselected", async () => {
    const cy = new FakeCy(["a", "b"]);
    const { model } = await linked(cy);
    for (const id of ["a", "b", "a"]) {
      cy.click(id);
      await settled();
    }
    expect(model.chosen).toEqual(["a"]);
  });

  it("selects what the kernel says, and sends nothing back", async () => {
    const cy = new FakeCy(["a", "b", "c"]);
    const { model } = await linked(cy);
    model.set("chosen", ["a", "c"]);
    expect([...cy.lit]).toEqual(["a", "c"]);
    model.set("chosen", ["b"]);
    await settled();
    expect([...cy.lit]).toEqual(["b"]);
    expect(model.saved).toEqual([]);
  });

  it("keeps all views alike, those that come later as well", async () => {
    const [first, second] = [new FakeCy(["a", "b"]), new FakeCy(["a", "b"])];
    const { model, target } = await linked(first);
    first.click("b");
    await settled();
    target.views.later = shown(second);
    await settled();
    expect([...second.lit]).toEqual(["b"]);
    second.click("a");
    await settled();
    expect([...first.lit]).toEqual(["a"]);
    delete target.views.later;
    model.set("chosen", []);
    expect([...first.lit]).toEqual([]);
    expect([...second.lit]).toEqual(["a"]);
  });

  it("selects nodes that come after they were chosen", async () => {
    const cy = new FakeCy(["a"]);
    const { model } = await linked(cy);
    model.set("chosen", ["late"]);
    cy.add("late");
    await settled();
    expect([...cy.lit]).toEqual(["late"]);
  });

  it("waits for a graph that is not there yet", async () => {
    vi.useFakeTimers();
    let tries = 0;
    const cy = new FakeCy(["a"]);
    const model = new FakeModel(async () => {
      if (++tries < 3) throw new Error("widget model not found");
      return { views: { one: shown(cy) } };
    });
    model.chosen = ["a"];
    link.initialize({ model });
    await vi.advanceTimersByTimeAsync(200);
    vi.useRealTimers();
    expect(tries).toBe(3);
    expect([...cy.lit]).toEqual(["a"]);
  });
});
