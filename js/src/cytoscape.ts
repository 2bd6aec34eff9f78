// Selection of an ipycytoscape graph, both ways. A model without a view, made by fuse_widgets/widget/cytoscape.py.
//
// ipycytoscape (1.3.3) tells the kernel what a person selects, but cannot select what the kernel says, and a node that was
// unselected once can never be selected again: `change:selected` there calls `selectify` and `unselectify`. So this model
// reaches the cytoscape.js instance of each view, which is public, and keeps it in step with `chosen`.

/** What is used of a cytoscape.js node. */
export interface CyNode {
  id(): string;
  selected(): boolean;
  select(): unknown;
  unselect(): unknown;
  selectify(): unknown;
}

/** What is used of cytoscape.js. */
export interface Cy {
  nodes(): { forEach(each: (node: CyNode) => void): void };
  on(events: string, selector: string, listener: (event: { target: CyNode }) => void): unknown;
  batch(change: () => void): unknown;
}

/** A view of ipycytoscape; `cytoscape_obj` is there once it is displayed. */
export interface CyView {
  displayed: Promise<unknown>;
  cytoscape_obj: Cy;
}

/** The model of an ipycytoscape widget, as @jupyter-widgets/base has it. */
export interface CyModel {
  views: Record<string, Promise<CyView>>;
}

export interface SelectionModel {
  get(name: "chosen"): string[];
  get(name: "target"): string;
  set(name: "chosen", value: string[]): void;
  save_changes(): void;
  on(event: string, listener: () => void): void;
  widget_manager: { get_model(id: string): Promise<CyModel> };
}

interface Given {
  model: SelectionModel;
  signal?: AbortSignal;
}

/** Milliseconds between two looks for a model that a reloaded page has not made yet, and how often it looks. */
const AGAIN = 50;
const TRIES = 400;

async function found(model: SelectionModel, signal?: AbortSignal): Promise<CyModel> {
  for (let left = TRIES; ; left--) {
    try {
      return await model.widget_manager.get_model(model.get("target"));
    } catch (error) {
      if (left === 0 || signal?.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }
}

class Selection {
  private readonly graphs = new Map<string, Cy>();
  private applying = false;
  private told = false;

  constructor(private readonly model: SelectionModel) {
    model.on("change:chosen", () => this.applyToAll());
  }

  /** Follows the views that are there, and those that come. */
  follow(target: CyModel): void {
    for (const [id, view] of Object.entries(target.views)) void this.attach(id, view);
    // Nothing tells of a new view, so its entry in the table of views does.
    target.views = new Proxy(target.views, {
      set: (views, id, view: Promise<CyView>) => {
        views[String(id)] = view;
        void this.attach(String(id), view);
        return true;
      },
      deleteProperty: (views, id) => {
        this.graphs.delete(String(id));
        return delete views[String(id)];
      },
    });
  }

  private async attach(id: string, coming: Promise<CyView>): Promise<void> {
    const view = await coming;
    await view.displayed;
    const cy = view.cytoscape_obj;
    this.graphs.set(id, cy);
    cy.on("select unselect", "node", ({ target }) => {
      target.selectify();
      this.changed(cy);
    });
    // Nodes that come later, such as those of a refresh, may be selected already.
    cy.on("add", "node", () => queueMicrotask(() => this.apply(cy)));
    this.apply(cy);
  }

  /** Tells once of all that one click or box has selected. */
  private changed(cy: Cy): void {
    if (this.applying || this.told) return;
    this.told = true;
    queueMicrotask(() => {
      this.told = false;
      const chosen: string[] = [];
      cy.nodes().forEach((node) => {
        if (node.selected()) chosen.push(node.id());
      });
      this.model.set("chosen", chosen);
      this.model.save_changes();
    });
  }

  private applyToAll(): void {
    for (const cy of this.graphs.values()) this.apply(cy);
  }

  private apply(cy: Cy): void {
    const chosen = new Set(this.model.get("chosen"));
    this.applying = true;
    try {
      cy.batch(() => {
        cy.nodes().forEach((node) => {
          if (node.selected() === chosen.has(node.id())) return;
          if (node.selected()) node.unselect();
          else node.select();
        });
      });
    } finally {
      this.applying = false;
    }
  }
}

export default {
  initialize({ model, signal }: Given): void {
    const selection = new Selection(model);
    found(model, signal).then(
      (target) => selection.follow(target),
      (error: unknown) => {
        if (!signal?.aborted) console.error("fuse_widgets: selection of a cytoscape graph:", error);
      },
    );
  },
};
