// Run, Stop, Pause, Step; the progress of the run; the search (parts of their own); direction, fit, panels and help.
import { whyLost } from "../core/kernel";
import { interruptTitle } from "../core/progress";
import { isActive } from "../core/reducer";
import type { Session } from "../core/session";
import type { CommandName, Panel } from "../core/types";
import { element, glyph, setData, setText } from "./dom";
import { BUTTONS } from "./icons";
import { ProgressBar } from "./progressbar";

const PANELS: { panel: Panel; title: string; picture: string }[] = [
  { panel: "outline", title: "List of the nodes (o)", picture: BUTTONS.outline },
  {
    panel: "inspector",
    title: "Inspector of the selected nodes (Enter)",
    picture: BUTTONS.inspector,
  },
  { panel: "timeline", title: "Timeline of the workers (t)", picture: BUTTONS.timeline },
];

interface Button {
  node: HTMLButtonElement;
  label: HTMLElement;
  shape: SVGElement;
}

export class Toolbar {
  readonly node: HTMLElement;
  #buttons: Record<"run" | "stop" | "pause" | "step" | "fit" | "direction", Button>;
  #toggles: [Panel, HTMLButtonElement][];
  #progress: ProgressBar;

  constructor(
    readonly session: Session,
    readonly acts: {
      fit: () => void;
      help: () => void;
      menu: ((button: HTMLElement) => void) | null;
      /** Whether a panel is to be seen. */
      shown: (panel: Panel) => boolean;
    },
    search: HTMLElement,
    signal: AbortSignal,
  ) {
    const button = (role: string, label: string, picture: string, act: () => void): Button => {
      const [text, svg] = [element("span", { text: label }), glyph(picture)];
      const node = element(
        "button",
        { class: "fuse-button", type: "button", "data-fuse-role": role },
        svg,
        text,
      );
      node.addEventListener("click", act, { signal });
      return { node, label: text, shape: svg.firstChild as SVGElement };
    };
    const send = (name: CommandName) => () => void session.command(name);
    this.#buttons = {
      run: button("run", "Run", BUTTONS.run, send("run")),
      stop: button("stop", "Stop", BUTTONS.stop, send("stop")),
      pause: button("pause", "Pause", BUTTONS.pause, () => {
        void session.command(session.store.run.runState === "paused" ? "resume" : "pause");
      }),
      step: button("step", "Step", BUTTONS.step, send("step")),
      direction: button("direction", "", BUTTONS.right, () => {
        session.turn(session.direction === "LR" ? "TB" : "LR");
      }),
      fit: button("fit", "Fit", BUTTONS.fit, acts.fit),
    };
    const small = (role: string, title: string, picture: string, act: () => void) => {
      const made = button(role, "", picture, act);
      this.#title(made, title);
      return made.node;
    };
    const toggle = (panel: Panel) => (): void => session.open(panel, !acts.shown(panel));
    this.#toggles = PANELS.filter(({ panel }) => session.parts.includes(panel)).map(
      ({ panel, title, picture }) => [panel, small(panel, title, picture, toggle(panel))],
    );
    const more = small(
      "selection",
      "Select relatives, paths, matches; collapse and expand groups",
      BUTTONS.more,
      () => acts.menu?.(more),
    );
    setData(more, { "aria-haspopup": "menu" });
    const help = small("help", "Keys and mouse (?)", BUTTONS.help, acts.help);
    this.#progress = new ProgressBar(session);
    const { run, stop, pause, step, direction, fit: whole } = this.#buttons;
    this.node = element(
      "div",
      { class: "fuse-toolbar", role: "toolbar", "aria-label": "run, search and view" },
      element("div", { class: "fuse-group" }, run.node, stop.node, pause.node, step.node),
      this.#progress.node,
      search,
      element(
        "div",
        { class: "fuse-group" },
        direction.node,
        whole.node,
        ...(acts.menu ? [more] : []),
        ...this.#toggles.map(([, node]) => node),
        help,
      ),
    );
    this.#title(whole, "Show the whole graph (0)");
    this.panels();
    this.update();
  }

  /** Which panels are open. */
  panels(): void {
    for (const [panel, node] of this.#toggles) {
      setData(node, { "aria-pressed": String(this.acts.shown(panel)) });
    }
  }

  /** Everything that depends on the run. */
  update(): void {
    const { session } = this;
    const { run, graph } = session.store;
    const { runState } = run;
    const some = (graph?.names.length ?? 0) > 0;
    const lost = whyLost(session.kernel);
    const able = (which: "run" | "stop" | "pause" | "step" | "direction", yes: boolean): void => {
      this.#buttons[which].node.disabled = !yes || lost !== "";
    };
    const pending = (name: CommandName): boolean => session.waiting.has(name);
    able("run", some && !isActive(runState) && !pending("run"));
    able("stop", isActive(runState));
    able(
      "pause",
      (runState === "running" || runState === "paused") && !pending("pause") && !pending("resume"),
    );
    able("step", some && runState !== "running" && runState !== "stopping" && !pending("step"));
    able("direction", true);
    for (const name of ["run", "stop", "step"] as const) {
      this.#buttons[name].node.classList.toggle("fuse-pending", pending(name));
    }
    this.#title(this.#buttons.run, "Run the workflow");
    this.#title(
      this.#buttons.step,
      isActive(runState)
        ? "Run one more node, then pause again"
        : "Start a run with one node, then pause",
    );
    const stopping = runState === "stopping";
    this.#label(this.#buttons.stop, stopping ? "Interrupt" : "Stop");
    this.#buttons.stop.node.classList.toggle("fuse-stopping", stopping);
    this.#title(
      this.#buttons.stop,
      stopping
        ? interruptTitle(run)
        : "Start no more nodes; press again to interrupt the running ones",
    );
    const paused = runState === "paused";
    this.#label(this.#buttons.pause, paused ? "Resume" : "Pause");
    this.#shape(this.#buttons.pause, paused ? BUTTONS.run : BUTTONS.pause);
    this.#title(
      this.#buttons.pause,
      paused ? "Resume the run" : "Start no more nodes until resumed",
    );
    if (lost) {
      const { run, stop, pause, step, direction } = this.#buttons;
      for (const button of [run, stop, pause, step, direction])
        this.#title(button, `Not now: ${lost}`);
    } else this.direction();
    this.#progress.update();
  }

  direction(): void {
    const down = this.session.direction === "TB";
    this.#shape(this.#buttons.direction, down ? BUTTONS.down : BUTTONS.right);
    const now = down ? "top to bottom" : "left to right";
    this.#title(this.#buttons.direction, `Drawn ${now}; press to turn`);
  }

  /** The text that changes with time, while a run is under way. */
  tick(): void {
    this.#progress.tick();
  }

  #label(button: Button, text: string): void {
    setText(button.label, text);
  }

  #shape(button: Button, path: string): void {
    if (button.shape.getAttribute("d") !== path) button.shape.setAttribute("d", path);
  }

  #title(button: Button, text: string): void {
    setData(button.node, { title: text, "aria-label": button.label.textContent || text });
  }
}
