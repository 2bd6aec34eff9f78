// Pictures for panels: the marks of states as on the graph, and those of buttons.
import { STATES } from "../../core/types";
import { BUTTONS, DISC, stateMark } from "../icons";

/** The disc of a state with its mark; a ring for those that have not begun. */
export function StateIcon({ code }: { code: number }) {
  const mark = stateMark(code);
  const hollow = code < 2;
  const side = DISC + 1;
  const paint = mark?.[1] === "fill" ? "fuse-mark-fill" : "fuse-mark-stroke";
  return (
    <svg
      class={`fuse-state-icon fuse-of-${STATES[code] ?? "pending"}${hollow ? " fuse-hollow" : ""}`}
      viewBox={`${-side} ${-side} ${2 * side} ${2 * side}`}
      aria-hidden="true"
    >
      <circle r={hollow ? DISC - 1 : DISC} />
      {mark && <path class={paint} d={mark[0]} />}
    </svg>
  );
}

/** A picture as on the buttons of the toolbar. */
export function Picture({ name }: { name: keyof typeof BUTTONS }) {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <path d={BUTTONS[name]} />
    </svg>
  );
}
