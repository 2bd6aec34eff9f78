// What a node has printed and displayed, as it does.
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { counted, printable, someLines } from "../../core/format";
import { type DisplayPiece, type Preview, State } from "../../core/types";
import { CopyButton, Scrolling, stateOf, useOfNode } from "./bits";
import type { Given } from "./panel";
import { Page, Picture } from "./result";

/** So near to the end (in pixels) counts as being there. */
const NEAR = 24;

export function Output({ given, node }: { given: Given; node: number }) {
  const { session, signals } = given;
  void [signals.topics.printed.value, signals.graph.value];
  const state = useOfNode(given, node, stateOf);
  const { printed, store } = session;
  const ours = printed?.index === node && printed.version === store.graph?.version ? printed : null;
  const pieces = useMemo(
    () =>
      (ours?.pieces ?? []).map((piece) => (typeof piece === "string" ? printable(piece) : piece)),
    [ours],
  );
  const text = useMemo(
    () => pieces.filter((piece) => typeof piece === "string").join(""),
    [pieces],
  );
  const area = useRef<HTMLDivElement>(null);
  const follow = useRef(true);
  const shown = useRef("");
  const placed = useRef(0);
  const about = ours && pieces.length ? `${node} ${ours.run}` : "";
  const toEnd = (): void => {
    const at = area.current;
    if (!at || !follow.current) return;
    at.scrollTop = endOf(at);
    placed.current = at.scrollTop;
  };
  useLayoutEffect(() => {
    if (about && about !== shown.current) {
      shown.current = about;
      // What a node has displayed is read from its beginning once the node has ended.
      follow.current =
        state === State.running || pieces.every((piece) => typeof piece === "string");
      if (area.current) area.current.scrollTop = 0;
    }
    toEnd();
  }, [pieces, node]);
  const scrolled = ({ currentTarget: at }: { currentTarget: HTMLElement }): void => {
    if (at.scrollTop === placed.current) return; // the person has not scrolled
    follow.current = at.scrollHeight - at.scrollTop - at.clientHeight < NEAR;
  };
  return (
    <>
      <div class="fuse-code-bar">
        <span class="fuse-quiet">{ours ? facts(text, ours.cut, pieces, ours.dropped) : ""}</span>
        <CopyButton given={given} text={() => text} what="printed text" />
      </div>
      <Scrolling
        ref={area}
        class="fuse-code fuse-fill"
        onScroll={scrolled}
        data-fuse-role="printed"
      >
        {pieces.map((piece, place) =>
          typeof piece === "string" ? (
            <pre key={`text ${place}`}>{piece}</pre>
          ) : (
            <Displayed
              key={`${ours?.run} ${node} ${piece.number}`}
              given={given}
              node={node}
              run={ours?.run ?? 0}
              piece={piece}
              grown={toEnd}
            />
          ),
        )}
        {pieces.length === 0 && (
          <p class="fuse-quiet fuse-prose">{nothing(state, ours !== null)}</p>
        )}
      </Scrolling>
    </>
  );
}

/** Where to scroll to see what came last: the end of a text, the beginning of a display. */
function endOf(area: HTMLElement): number {
  const last = area.lastElementChild;
  if (!last?.matches(".fuse-shown")) return area.scrollHeight;
  return area.scrollTop + last.getBoundingClientRect().top - area.getBoundingClientRect().top;
}

interface DisplayedProps {
  given: Given;
  node: number;
  run: number;
  piece: DisplayPiece;
  /** Called once it takes its room. */
  grown: () => void;
}

/** One display, asked for when it is shown, and again when it was updated; until then the one before it stays. */
function Displayed({ given, node, run, piece, grown }: DisplayedProps) {
  const { session } = given;
  const [preview, setPreview] = useState<Preview | null>(null);
  const { number, edition } = piece;
  useLayoutEffect(() => {
    const end = new AbortController();
    const version = session.store.graph?.version;
    session
      .ask("display", { node, version, run, number }, end.signal)
      .then((reply) => reply.data as Preview)
      .catch(
        (error) => ({ kind: "text", content: "", note: String(error.message ?? error) }) as const,
      )
      .then((found) => {
        if (!end.signal.aborted) setPreview(found);
      });
    return () => end.abort();
  }, [session, node, run, number, edition]);
  useLayoutEffect(grown, [preview]);
  if (!preview) return <div class="fuse-shown fuse-quiet">{"\u2026"}</div>;
  const { kind, content, note } = preview;
  return (
    <div class="fuse-shown" data-fuse-role="displayed" data-fuse-preview={kind}>
      {note && <div class="fuse-quiet">{someLines(note)}</div>}
      {kind === "text" && content && <pre>{printable(content)}</pre>}
      {kind === "svg" && (
        <Picture
          source={`data:image/svg+xml;charset=utf-8,${encodeURIComponent(content)}`}
          what="displayed picture"
          loaded={grown}
        />
      )}
      {(kind === "png" || kind === "jpeg" || kind === "gif") && (
        <Picture
          source={`data:image/${kind};base64,${content}`}
          what="displayed picture"
          loaded={grown}
        />
      )}
      {kind === "html" && (
        <div style={{ display: "flex", height: `${heightOf(content)}px` }}>
          <Page html={content} theme={given.signals.theme} />
        </div>
      )}
    </div>
  );
}

/** About how high a page will be, which a frame of an origin of its own does not tell. */
export function heightOf(html: string): number {
  const rows = html.match(/<(tr|p|li|br|h[1-6]|div|pre)\b|\n(?=[^<\n]*\S)/gi)?.length ?? 0;
  const pictures = html.match(/<(img|svg)\b/gi)?.length ?? 0;
  return Math.min(400, 40 + 25 * Math.min(rows, 20) + (pictures ? 240 : 0));
}

function facts(
  text: string,
  cut: number,
  pieces: readonly (string | DisplayPiece)[],
  dropped: number,
): string {
  const lines = text ? text.split("\n").length - (text.endsWith("\n") ? 1 : 0) : 0;
  const displays = pieces.filter((piece) => typeof piece !== "string").length;
  const told = [
    ...(lines ? [counted(lines, "line")] : []),
    ...(displays ? [counted(displays, "display")] : []),
  ].join(", ");
  const missing = [
    ...(cut ? [counted(cut, "character")] : []),
    ...(dropped ? [counted(dropped, "display")] : []),
  ].join(" and ");
  if (!missing) return told;
  return `the last ${told}; ${missing} before ${cut + dropped === 1 ? "is" : "are"} left out`;
}

function nothing(state: number, told: boolean): string {
  if (!told) return "\u2026";
  if (state === State.running) return "Nothing printed yet.";
  if (state === State.cached) return "It did not run: its result came from storage.";
  return state === State.pending ? "It has not run." : "It printed nothing.";
}
