// @vitest-environment jsdom
// JupyterLab takes a key as a shortcut ("x" cuts the cell) unless the element with the focus itself says no.
import { describe, expect, it } from "vitest";
import { State } from "../../src/core/types";
import { classifiers, grouped, status } from "../fake";
import { freshBrowser } from "./browser";
import { inspected, settle } from "./inspected";

const SPECS = classifiers(["moons"]);
const CAN_HAVE_FOCUS = "a, button, input, select, textarea, summary, [tabindex]";
const page = freshBrowser();

/** What could have the focus and does not keep keys from JupyterLab. */
function open(root: HTMLElement): string[] {
  return [...root.querySelectorAll<HTMLElement>(CAN_HAVE_FOCUS)]
    .filter((node) => !node.hasAttribute("data-lm-suppress-shortcuts"))
    .map((node) => node.outerHTML.slice(0, 120));
}

describe("whatever can have the focus keeps its keys", () => {
  it.each(["Overview", "backend_info", "Output", "Result", "Source"])(
    "with all panels, the menu and the help, and %s of a node that failed",
    async (tab) => {
      const { view, kernel } = inspected(SPECS, {
        _graph: grouped(SPECS, []),
        _status: status(SPECS.length, {
          codes: SPECS.map((_, i) => (i === 3 ? State.failed : State.done)),
          errors: { 3: { type: "ValueError", message: "no luck" } },
        }),
        panels: ["outline", "inspector", "timeline"],
        selected: [SPECS[3].name],
      });
      const frame = { file: "f.py", line: 1, function: "f", code: "f()", inner: true };
      kernel.made.set(3, {
        failure: { type: "ValueError", message: "no luck", frames: [frame], text: "T", root: null },
      });
      kernel.tell();
      const { root, role, click } = view();
      page.resize(1200, 400);
      await settle();
      await click(`tab-${tab}`);
      role("selection").click();
      HTMLDialogElement.prototype.showModal ??= () => {};
      role("help").click();
      expect(open(root)).toEqual([]);
    },
  );

  it.each(["query", "form", "outline", "inspector"] as const)("in the part %s", async (part) => {
    const parts = part === "query" ? [part, "graph" as const] : [part];
    const { view } = inspected(SPECS, { _parts: parts, selected: [SPECS[3].name] });
    const { root } = view();
    await settle();
    expect(open(root)).toEqual([]);
  });
});
