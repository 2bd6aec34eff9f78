// The settings as raw JSON, beside the form.
import { RAW, rawOf } from "../../core/editor";
import { oneLine, printable } from "../../core/format";
import { KEYS } from "../dom";
import { Button, useFreshId } from "./bits";
import { type Place, whileLost } from "./field";

export function RawJson({ place }: { place: Place }) {
  const { editor, settings, current, lost } = place;
  const id = useFreshId();
  const { values, left } = rawOf(settings);
  const shown = current ? JSON.stringify(values, null, 2) : "\u2026";
  const draft = editor.draft(RAW);
  const text = draft?.text ?? shown;
  const wrong = draft?.state === "refused";
  const apply = (): void => void editor.commitRaw(settings);
  const revert = (): void => editor.drop(RAW);
  return (
    <div
      class={`fuse-raw ${wrong ? "fuse-refused" : ""} ${draft?.state === "pending" ? "fuse-pending" : ""}`}
    >
      <textarea
        class="fuse-control fuse-mono"
        aria-label="backend_info as JSON"
        aria-invalid={wrong}
        aria-describedby={wrong ? id : undefined}
        data-fuse-role="raw-text"
        rows={Math.max(6, Math.min(16, text.split("\n").length + 1))}
        spellcheck={false}
        readOnly={!current || lost !== ""}
        value={text}
        onInput={(event) => editor.type(RAW, event.currentTarget.value, shown, null)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) apply();
          else if (event.key === "Escape" && draft) revert();
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
        {...whileLost(place)}
        {...KEYS}
      />
      {wrong && (
        <div class="fuse-wrong-text" id={id} role="alert">
          {printable(draft.error)}
        </div>
      )}
      {left.length > 0 && (
        <p class="fuse-quiet">
          Left out, since the nodes differ or it is no JSON:{" "}
          {left.map((key) => oneLine(key, 60)).join(", ")}
        </p>
      )}
      <div class="fuse-ask">
        <Button
          does="apply"
          act={apply}
          off={!draft || draft.state === "pending" || lost !== ""}
          title={lost ? `Not now: ${lost}` : "Ctrl+Enter"}
        >
          Apply
        </Button>
        <Button does="revert" act={revert} off={!draft} title="Esc">
          Revert
        </Button>
      </div>
    </div>
  );
}
