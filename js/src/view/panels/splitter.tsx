// The edge between graph and inspector, to be dragged.
import { useLayoutEffect, useRef } from "preact/hooks";
import { KEYS } from "../dom";

export const WIDTH = { least: 240, most: 640, usual: 360, step: 16 };
const KEPT = "fuse-widgets:inspector";

function kept(): number {
  try {
    return clamped(Number(localStorage.getItem(KEPT)) || WIDTH.usual);
  } catch {
    return WIDTH.usual; // a page without storage remembers nothing
  }
}

function clamped(width: number): number {
  return Math.round(Math.min(WIDTH.most, Math.max(WIDTH.least, width)));
}

export function Splitter() {
  const node = useRef<HTMLDivElement>(null);
  const width = useRef(0);
  width.current ||= kept();
  const apply = (to: number, keep: boolean): void => {
    width.current = clamped(to);
    const host = node.current?.parentElement;
    host?.style.setProperty("--fuse-inspector-width", `${width.current}px`);
    node.current?.setAttribute("aria-valuenow", String(width.current));
    try {
      if (keep) localStorage.setItem(KEPT, String(width.current));
    } catch {
      // as above
    }
  };
  useLayoutEffect(() => apply(width.current, false), []);
  const from = useRef<{ x: number; width: number } | null>(null);
  const end = (): void => {
    if (from.current) apply(width.current, true);
    from.current = null;
  };
  return (
    <div
      ref={node}
      class="fuse-splitter"
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label="width of the inspector"
      aria-valuemin={WIDTH.least}
      aria-valuemax={WIDTH.most}
      aria-valuenow={width.current}
      title="Drag to change the width"
      data-fuse-role="inspector-width"
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        from.current = { x: event.clientX, width: width.current };
        event.currentTarget.setPointerCapture?.(event.pointerId);
        event.preventDefault();
      }}
      onPointerMove={(event) => {
        if (from.current) apply(from.current.width + from.current.x - event.clientX, false);
      }}
      onPointerUp={end}
      onPointerCancel={end}
      onLostPointerCapture={end}
      onKeyDown={(event) => {
        const by = { ArrowLeft: WIDTH.step, ArrowRight: -WIDTH.step }[event.key];
        if (!by) return;
        event.preventDefault();
        event.stopPropagation();
        apply(width.current + by, true);
      }}
      {...KEYS}
    />
  );
}
