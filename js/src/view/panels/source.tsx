// The source of a node's function.
import { oneLine, printable, shortPath } from "../../core/format";
import type { NodeDetails } from "../../core/types";
import { CopyButton, Scrolling } from "./bits";
import type { Given } from "./panel";

export function Source({ given, details }: { given: Given; details: NodeDetails | null }) {
  if (!details) return <p class="fuse-quiet">{"\u2026"}</p>;
  const { source, file, line } = details;
  const where = [oneLine(file, 1000), line === null ? "" : `line ${line}`]
    .filter(Boolean)
    .join(", ");
  if (!source) {
    return (
      <p class="fuse-quiet">Python gives no source for this function{where && ` (${where})`}.</p>
    );
  }
  const lines = printable(source).replace(/\n$/, "").split("\n");
  const first = line ?? 1;
  return (
    <>
      <div class="fuse-code-bar">
        <span class="fuse-quiet fuse-path" title={where}>
          {[shortPath(file), line === null ? "" : `line ${line}`].filter(Boolean).join(", ")}
        </span>
        <CopyButton given={given} text={() => source} what="source" />
      </div>
      <Scrolling class="fuse-code fuse-fill fuse-source">
        <pre class="fuse-numbers" aria-hidden="true">
          {lines.map((_, i) => first + i).join("\n")}
        </pre>
        <pre data-fuse-role="source">{lines.join("\n")}</pre>
      </Scrolling>
    </>
  );
}
