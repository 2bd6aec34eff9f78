// The result of a node: what is known of it, and a preview where one is asked for.
import type { ReadonlySignal } from "@preact/signals";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { counted, oneLine, printable, someLines } from "../../core/format";
import type { Run } from "../../core/reducer";
import type { NodeDetails, Preview, ResultFacts } from "../../core/types";
import { Button, CopyButton, Row, Scrolling, useOfNode } from "./bits";
import { page } from "./page";
import type { Given } from "./panel";

type Asked =
  | { how: "no" }
  | { how: "computing" }
  | { how: "failed"; text: string }
  | { how: "shown"; preview: Preview };

interface Props {
  given: Given;
  node: number;
  details: NodeDetails | null;
}

export function Result({ given, node, details }: Props) {
  const { graph } = given.session.store;
  void given.signals.graph.value;
  // Another node, run or attempt: what was shown is about something else.
  const attempt = useOfNode(given, node, attemptOf);
  const about = `${graph?.version} ${attempt} ${graph?.names[node]}`;
  return <Shown key={about} given={given} node={node} details={details} />;
}

const attemptOf = ({ run, attempt, state }: Run, node: number): string =>
  `${run} ${attempt[node]} ${state[node]}`;

function Shown({ given, node, details }: Props) {
  const { session } = given;
  const [asked, setAsked] = useState<Asked>({ how: "no" });
  const ending = useRef<AbortController | null>(null);
  useLayoutEffect(() => () => ending.current?.abort(), []);
  const show = async (): Promise<void> => {
    const end = new AbortController();
    ending.current?.abort();
    ending.current = end;
    setAsked({ how: "computing" });
    try {
      const version = session.store.graph?.version;
      const reply = await session.ask("preview", { node, version }, end.signal);
      if (!end.signal.aborted) setAsked({ how: "shown", preview: reply.data as Preview });
    } catch (error) {
      if (end.signal.aborted) return;
      setAsked({ how: "failed", text: error instanceof Error ? error.message : String(error) });
    }
  };
  const facts = details?.result ?? null;
  if (details && !facts && asked.how === "no") {
    return <p class="fuse-quiet">{someLines(details.why_no_result) || "There is no result."}</p>;
  }
  return (
    <>
      <Facts facts={facts} />
      {asked.how === "shown" ? (
        <PreviewOf given={given} preview={asked.preview} />
      ) : (
        <div class="fuse-ask">
          <Button
            does="show-result"
            act={() => void show()}
            off={!facts || asked.how === "computing"}
          >
            {asked.how === "failed" ? "Try again" : "Show"}
          </Button>
          <span class={asked.how === "failed" ? "fuse-wrong-text" : "fuse-quiet"} role="status">
            {asked.how === "computing" && "computing\u2026"}
            {asked.how === "failed" && someLines(asked.text)}
          </span>
        </div>
      )}
    </>
  );
}

function Facts({ facts }: { facts: ResultFacts | null }) {
  return (
    <dl class="fuse-kv">
      {facts?.type !== "" && (
        <Row label="type">{facts && <span class="fuse-mono">{oneLine(facts.type, 160)}</span>}</Row>
      )}
      {facts?.shape && <Row label="shape">{oneLine(facts.shape, 160)}</Row>}
      {facts?.detail && <Row label={facts.type ? "of" : "where"}>{oneLine(facts.detail, 160)}</Row>}
      {facts && facts.bytes !== null && <Row label="size">{size(facts.bytes)}</Row>}
    </dl>
  );
}

/** "980 bytes", "12.4 kB", "3.2 MB". */
export function size(bytes: number): string {
  if (bytes < 1000) return counted(bytes, "byte");
  const units = ["kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes / 1000, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

function PreviewOf({ given, preview }: { given: Given; preview: Preview }) {
  const { kind, content, note } = preview;
  return (
    <div class="fuse-preview fuse-fill" data-fuse-preview={kind}>
      {(note || kind === "text") && (
        <div class="fuse-code-bar">
          <span class="fuse-quiet">{someLines(note)}</span>
          {kind === "text" && <CopyButton given={given} text={() => content} what="text" />}
        </div>
      )}
      {kind === "text" && (
        <Scrolling class="fuse-code fuse-fill">
          <pre>{printable(content)}</pre>
        </Scrolling>
      )}
      {(kind === "png" || kind === "jpeg" || kind === "gif") && (
        <Picture source={`data:image/${kind};base64,${content}`} />
      )}
      {kind === "svg" && (
        <Picture source={`data:image/svg+xml;charset=utf-8,${encodeURIComponent(content)}`} />
      )}
      {kind === "html" && <Page html={content} theme={given.signals.theme} />}
    </div>
  );
}

/** As the source of a picture an SVG runs nothing and loads nothing. */
export function Picture({
  source,
  what = "result",
  loaded,
}: {
  source: string;
  what?: string;
  loaded?: () => void;
}) {
  return (
    <div class="fuse-picture fuse-fill">
      <img src={source} alt={`the ${what}`} onLoad={loaded} />
    </div>
  );
}

export function Page({ html, theme }: { html: string; theme: ReadonlySignal<number> }) {
  const host = useRef<HTMLDivElement>(null);
  const [text, setText] = useState("");
  useLayoutEffect(() => {
    const near = host.current as HTMLElement;
    const { color, backgroundColor } = getComputedStyle(near);
    const dark = near.closest(".fuse-widget")?.getAttribute("data-fuse-theme") === "dark";
    setText(page(html, { text: color, back: backgroundColor, dark }));
  }, [html, theme.value]);
  return (
    <div ref={host} class="fuse-page fuse-fill">
      {text && (
        <iframe
          title="the result, as HTML"
          // Nothing is allowed: no scripts, no forms, no popups, an origin of its own.
          sandbox=""
          referrerpolicy="no-referrer"
          srcdoc={text}
        />
      )}
    </div>
  );
}
