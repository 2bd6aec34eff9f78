// What a node has printed, as it prints it.
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { counted, printable } from "../../core/format";
import { State } from "../../core/types";
import { CopyButton, Scrolling, stateOf, useOfNode } from "./bits";
import type { Given } from "./panel";

/** So near to the end (in pixels) counts as being there. */
const NEAR = 24;

export function Printed({ given, node }: { given: Given; node: number }) {
  const { session, signals } = given;
  void [signals.topics.printed.value, signals.graph.value];
  const state = useOfNode(given, node, stateOf);
  const { printed, store } = session;
  const ours = printed?.index === node && printed.version === store.graph?.version ? printed : null;
  const text = useMemo(() => (ours ? printable(ours.text) : ""), [ours]);
  const area = useRef<HTMLDivElement>(null);
  const follow = useRef(true);
  const shown = useRef(-1);
  if (shown.current !== node) {
    shown.current = node;
    follow.current = true;
  }
  useLayoutEffect(() => {
    if (area.current && follow.current) area.current.scrollTop = area.current.scrollHeight;
  }, [text, node]);
  const scrolled = ({ currentTarget: at }: { currentTarget: HTMLElement }): void => {
    follow.current = at.scrollHeight - at.scrollTop - at.clientHeight < NEAR;
  };
  return (
    <>
      <div class="fuse-code-bar">
        <span class="fuse-quiet">{ours ? facts(ours.text, ours.cut) : ""}</span>
        <CopyButton given={given} text={() => text} what="printed text" />
      </div>
      <Scrolling
        ref={area}
        class="fuse-code fuse-fill"
        onScroll={scrolled}
        data-fuse-role="printed"
      >
        <pre>{text || <span class="fuse-quiet">{nothing(state, ours !== null)}</span>}</pre>
      </Scrolling>
    </>
  );
}

function facts(text: string, cut: number): string {
  const lines = text ? text.split("\n").length - (text.endsWith("\n") ? 1 : 0) : 0;
  const told = counted(lines, "line");
  return cut
    ? `the last ${told}; ${counted(cut, "character")} before ${cut === 1 ? "is" : "are"} left out`
    : told;
}

function nothing(state: number, told: boolean): string {
  if (!told) return "\u2026";
  if (state === State.running) return "Nothing printed yet.";
  if (state === State.cached) return "It did not run: its result came from storage.";
  return state === State.pending ? "It has not run." : "It printed nothing.";
}
