// Under the form: undo and redo, where an edit counts, the edits as Python.
import { useLayoutEffect, useRef } from "preact/hooks";
import { oneLine, printable, someLines } from "../../core/format";
import { whyLost } from "../../core/kernel";
import { copyText } from "../clipboard";
import { Button } from "./bits";
import type { Given } from "./panel";
import { remembered } from "./state";

export function Doing({ given }: { given: Given }) {
  const { session } = given;
  const { editor } = remembered(session);
  const { edits } = session;
  const lost = whyLost(session.kernel);
  const step = (which: "undo" | "redo", word: string, keys: string) => {
    const does = oneLine(edits?.[which] ?? "", 200);
    return (
      <Button
        does={which}
        off={!does || editor.busy !== "" || lost !== ""}
        title={
          lost ? `Not now: ${lost}` : does ? `${word}: ${does} (${keys})` : `Nothing to ${which}`
        }
        act={() => void editor.undo(which)}
      >
        {word}
      </Button>
    );
  };
  const last = oneLine(editor.note || (edits?.undo ?? ""), 300);
  return (
    <div class="fuse-doing">
      <AsCode given={given} />
      <div class="fuse-ask">
        {step("undo", "Undo", "Ctrl+Z")}
        {step("redo", "Redo", "Ctrl+Shift+Z")}
        <CopyAsCode given={given} lost={lost} />
      </div>
      {last && (
        <div class="fuse-quiet fuse-doing-last" title={last} role="status">
          {last}
        </div>
      )}
      {edits?.counts_from && <div class="fuse-counts-from">{someLines(edits.counts_from)}</div>}
      {editor.problem && (
        <div class="fuse-wrong-text" role="alert">
          {printable(editor.problem)}
        </div>
      )}
    </div>
  );
}

function CopyAsCode({ given, lost }: { given: Given; lost: string }) {
  const { session } = given;
  const { code } = remembered(session);
  const act = async (event: MouseEvent): Promise<void> => {
    const near = (event.currentTarget as HTMLElement).parentElement as HTMLElement;
    try {
      const reply = await session.ask("code");
      const text = String((reply.data as { code?: string } | undefined)?.code ?? "");
      code.value = text;
      if (!text) given.say("nothing was changed here yet");
      else given.say((await copyText(text, near)) ? "code copied" : "select the code and copy it");
    } catch (error) {
      given.say(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Button
      does="copy-code"
      act={(event) => void act(event)}
      off={lost !== ""}
      title={lost ? `Not now: ${lost}` : "The same as Python, for the notebook"}
    >
      Copy as code
    </Button>
  );
}

/** The edits as Python; while it is shown it follows them. */
function AsCode({ given }: { given: Given }) {
  const { session, signals } = given;
  void signals.topics.edits.value;
  const { code } = remembered(session);
  const edits = session.edits;
  const about = edits ? `${edits.undo}\n${edits.redo}\n${edits.answer?.id ?? ""}` : "";
  const before = useRef(about);
  useLayoutEffect(() => {
    if (before.current === about) return;
    before.current = about;
    if (!code.value) return;
    session.ask("code").then(
      (reply) => {
        code.value = String((reply.data as { code?: string } | undefined)?.code ?? "");
      },
      () => {
        code.value = ""; // old code would be wrong
      },
    );
  }, [about, session, code]);
  if (!code.value) return null;
  return (
    <pre class="fuse-code" data-fuse-role="code">
      {printable(code.value)}
    </pre>
  );
}
