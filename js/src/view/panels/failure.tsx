// What went wrong: the error at once, its frames as soon as the kernel has told them.
import { counted, oneLine, printable, shortPath } from "../../core/format";
import { type Failure, type Frame, type NodeError, State } from "../../core/types";
import { KEYS } from "../dom";
import { CopyButton, NodeLink, stateOf, useOfNode } from "./bits";
import type { Given } from "./panel";

interface Props {
  given: Given;
  node: number;
  error: NodeError;
  failure: Failure | null;
}

export function Failed({ given, node, error, failure }: Props) {
  const { store } = given.session;
  void given.signals.graph.value;
  const skipped = useOfNode(given, node, stateOf) === State.skipped;
  const named = error.root && error.root !== store.graph?.names[node] ? error.root : null;
  const root = failure?.root ?? (named === null ? undefined : store.indexOf(named));
  const type = failure?.type || error.type;
  return (
    <section class="fuse-error" aria-label="error">
      {(skipped || root !== undefined) && (
        <div class="fuse-error-root">
          <span>{skipped ? "Skipped, because this failed first:" : "This failed first:"}</span>
          {root !== undefined && root !== null && <NodeLink given={given} node={root} />}
        </div>
      )}
      {type && (
        <div class="fuse-error-text">
          <strong>{oneLine(type, 160)}</strong>
          {": "}
          {printable(failure?.message || error.message)}
        </div>
      )}
      {failure && failure.frames.length > 0 && <Frames frames={failure.frames} />}
      {failure?.text && (
        <details class="fuse-traceback">
          <summary {...KEYS}>Full traceback</summary>
          <div class="fuse-code-bar">
            <CopyButton given={given} text={() => failure.text} what="traceback" />
          </div>
          <pre class="fuse-code">{printable(failure.text)}</pre>
        </details>
      )}
    </section>
  );
}

/** The frames, innermost first; neighbours that are not the person's own are folded into one line. */
function Frames({ frames }: { frames: Frame[] }) {
  const runs: Frame[][] = [];
  for (const frame of frames) {
    const last = runs.at(-1);
    if (last?.[0].inner && frame.inner) last.push(frame);
    else runs.push([frame]);
  }
  return (
    <ol class="fuse-frames">
      {runs.map((run, at) => (
        <li key={`${at}`}>
          {run[0].inner ? (
            <details>
              <summary class="fuse-quiet" {...KEYS}>
                {counted(run.length, "frame")} of {owner(run)}
              </summary>
              {run.map((frame, k) => (
                <OneFrame key={`${k}`} frame={frame} />
              ))}
            </details>
          ) : (
            <OneFrame frame={run[0]} />
          )}
        </li>
      ))}
    </ol>
  );
}

function owner(frames: Frame[]): string {
  const ours = frames.filter(({ file }) => file.includes("fuse_widgets")).length;
  if (ours === frames.length) return "fuse_widgets";
  return ours ? "fuse_widgets and Python" : "Python";
}

function OneFrame({ frame }: { frame: Frame }) {
  return (
    <div class="fuse-frame">
      <div class="fuse-frame-at">
        <span class="fuse-mono">{oneLine(frame.function, 120)}</span>
        <span class="fuse-path fuse-quiet" title={oneLine(frame.file, 1000)}>
          {shortPath(frame.file)}
        </span>
        <span class="fuse-quiet">:{frame.line}</span>
      </div>
      {frame.code && <pre class="fuse-code">{printable(frame.code)}</pre>}
    </div>
  );
}
