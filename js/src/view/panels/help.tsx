// What keys and mouse do, in a dialog over the page.
import { render } from "preact";
import { KINDS, STATES } from "../../core/types";
import { element, KEYS } from "../dom";
import { KIND_MARKS } from "../icons";
import { StateGlyph } from "./bits";

type Line = [keys: string[], what: string];

const GRAPH: [string, Line[]][] = [
  [
    "Find",
    [
      [["/"], "Search for nodes by a pattern"],
      [["Enter"], "In the search: go to the next match"],
      [["\u2193"], "In the search: select the match and go to the graph"],
      [["[", "]"], "Previous, next match"],
      [["o"], "List of the nodes"],
      [["t"], "Timeline of the workers"],
    ],
  ],
  [
    "Walk",
    [
      [
        ["\u2190", "\u2191", "\u2192", "\u2193"],
        "Move along the edges; from no node, to the middle",
      ],
      [["Shift + arrows"], "Move the view"],
      [["Enter"], "Open the inspector; again: move into it"],
      [["Esc"], "Clear the selection, then the search, then leave"],
    ],
  ],
  [
    "View",
    [
      [["+", "-"], "Zoom"],
      [["0"], "Show the whole graph"],
      [["f"], "Show the selected nodes"],
      [["?"], "These keys"],
    ],
  ],
];
const FORM: [string, Line[]] = [
  "In the form",
  [
    [["Enter"], "Set what was typed"],
    [["Esc"], "Discard what was typed; in the inspector: back to the graph"],
    [["Ctrl + Z"], "Undo; with Shift: redo"],
  ],
];
const MOUSE: [string, Line[]] = [
  "Mouse",
  [
    [["Click"], "Select; with Ctrl or Shift: add or remove"],
    [["Double-click"], "Centre a node, open a group; beside them: show all"],
    [["Right click"], "Menu for the selected nodes"],
    [["Drag"], "Move the view; with Shift: select in a rectangle"],
    [["Wheel"], "Zoom, after a click on the graph or with Ctrl"],
  ],
];
const LIST: [string, Line[]] = [
  "In the list",
  [
    [
      ["\u2191", "\u2193", "Home", "End"],
      "Move and select; with Shift: select a range; with Ctrl: only move",
    ],
    [["Space"], "Select or deselect"],
    [["Ctrl + A"], "Select all listed nodes"],
    [["Enter"], "Open the inspector and show the node in the graph"],
  ],
];

const MEANINGS: Record<(typeof STATES)[number], string> = {
  pending: "waits for other nodes or for a run",
  queued: "waits for a worker",
  running: "is being computed",
  paused: "its run is paused",
  done: "has its result",
  cached: "read from storage",
  failed: "raised an error",
  skipped: "needs a node that failed",
  cancelled: "ended by Stop",
};

/** By kind. */
const CALLS = ["calls a function", "makes an object", "calls a method of an object"];

/** What the marks on the nodes mean. */
function Legend({ whole }: { whole: boolean }) {
  return (
    <section>
      <h3>Marks</h3>
      <dl class="fuse-legend">
        {STATES.map((name, code) => (
          <div key={name}>
            <dt>
              <StateGlyph code={code} /> {name}
            </dt>
            <dd>{MEANINGS[name]}</dd>
          </div>
        ))}
        {whole &&
          KINDS.map((name, kind) => (
            <div key={name}>
              <dt>
                <svg class="fuse-kind-mark" viewBox="-8 -8 16 16" aria-hidden="true">
                  <path d={KIND_MARKS[kind]} />
                </svg>
                {name}
              </dt>
              <dd>{CALLS[kind]}</dd>
            </div>
          ))}
        <div>
          <dt>
            <span class="fuse-stale-mark" aria-hidden="true" /> ring
          </dt>
          <dd>out of date: the next run computes it again</dd>
        </div>
        {whole && (
          <div>
            <dt>
              <span class="fuse-edited-mark" aria-hidden="true" /> dot
            </dt>
            <dd>its backend_info was changed here</dd>
          </div>
        )}
      </dl>
    </section>
  );
}

function Help({ whole, close }: { whole: boolean; close: () => void }) {
  return (
    <>
      <header class="fuse-help-head">
        <h2 id="fuse-help-title">Keys and mouse</h2>
        <button
          type="button"
          class="fuse-button"
          data-fuse-role="close-help"
          onClick={close}
          {...KEYS}
        >
          Close
        </button>
      </header>
      <div class="fuse-help-body">
        {(whole ? [...GRAPH, LIST, FORM, MOUSE] : [LIST]).map(([title, lines]) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {lines.map(([keys, what]) => (
                <div key={what}>
                  <dt>
                    {keys.map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        <Legend whole={whole} />
      </div>
    </>
  );
}

/**
 * Opens the help over the page; it closes with Esc, with its button or with a click beside it, and gives the focus back.
 *
 * @param whole whether there is a graph, not only a list.
 */
export function openHelp(root: HTMLElement, whole: boolean): void {
  if (root.querySelector(":scope > .fuse-help")) return;
  const before = document.activeElement as HTMLElement | null;
  const dialog = element("dialog", {
    class: "fuse-help",
    role: "dialog",
    "aria-modal": "true",
    "aria-labelledby": "fuse-help-title",
    "data-fuse-role": "help-card",
    ...KEYS,
  });
  const close = (): void => dialog.close();
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  dialog.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "?") close();
  });
  dialog.addEventListener("close", () => {
    render(null, dialog);
    dialog.remove();
    before?.focus();
  });
  render(<Help whole={whole} close={close} />, dialog);
  root.append(dialog);
  // Modal: the rest of the page is inert, and the focus stays inside.
  dialog.showModal();
}
