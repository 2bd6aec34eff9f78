// One field of the form: label, control, what is wrong. What a person types stays until it is taken or given up.
import { type ComponentChildren, Fragment } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { isFixed, type Standing, shownFor, standing } from "../../core/details";
import { type Draft, type Editor, pathOf } from "../../core/editor";
import { oneLine, printable } from "../../core/format";
import { type Field, placeholderOf, textOf, worded } from "../../core/schema";
import type { Settings, Shown } from "../../core/types";
import { KEYS } from "../dom";
import { BUTTONS } from "../icons";
import { Button, Picture, useFreshId } from "./bits";

/** Where a field stands. */
export interface Place {
  editor: Editor;
  settings: Settings;
  /** False while the settings are those of another selection: nothing can be edited yet. */
  current: boolean;
  /** Why nothing can be edited since the kernel is lost, "" where it can. */
  lost: string;
}

/** What a control carries while the kernel is lost. */
export function whileLost({ lost }: Place): { "aria-disabled"?: true; title?: string } {
  return lost ? { "aria-disabled": true, title: `Not now: ${lost}` } : {};
}

interface Props {
  field: Field;
  place: Place;
}

/** Everything that a control needs. */
interface Control {
  field: Field;
  at: Standing;
  draft: Draft | undefined;
  text: string;
  hint: string;
  current: boolean;
  /** Whether it can only be read now. */
  readOnly: boolean;
  common: Record<string, unknown>;
  type: (text: string) => void;
  commit: (again?: boolean) => void;
  drop: () => void;
}

/** What is wrong, scrolled to where it can be read: the field may be the last that a low form shows. */
function Wrong({ id, text }: { id: string; text: string }) {
  const shown = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    shown.current?.scrollIntoView?.({ block: "nearest" });
  }, []);
  return (
    <div ref={shown} class="fuse-wrong-text" id={id} role="alert">
      {printable(text)}
    </div>
  );
}

export function Setting({ field, place }: Props) {
  const { editor, settings, current, lost } = place;
  const id = useFreshId();
  const path = pathOf(field);
  const at = standing(settings, field.path);
  const draft = editor.draft(path);
  const shown = at.how === "set" ? printableText(field, at.value) : "";
  const wrong = draft?.state === "refused";
  // What holds a value that is no JSON cannot be sent back: it is shown.
  const fixed = field.kind === "shown" || isFixed(at);
  const control: Control = {
    field,
    at,
    draft,
    text: draft?.text ?? shown,
    hint: hintOf(field, at, current),
    current,
    readOnly: !current || lost !== "",
    common: {
      id,
      "data-fuse-field": path,
      "aria-invalid": wrong,
      "aria-describedby": [wrong && `${id}-wrong`, field.description && `${id}-about`]
        .filter(Boolean)
        .join(" "),
      ...whileLost(place),
      ...KEYS,
    },
    type: (text) => editor.type(path, text, shown, shownFor(settings, field.path)),
    commit: (again = false) => void editor.commit(field, again),
    drop: () => editor.drop(path),
  };
  return (
    <div
      class={`fuse-setting ${at.how === "mixed" ? "fuse-mixed" : ""} ${wrong ? "fuse-refused" : ""} ${draft?.state === "pending" ? "fuse-pending" : ""}`}
      title={field.description || undefined}
    >
      <label class="fuse-setting-label" for={id}>
        <Words text={oneLine(field.label, 60)} />
      </label>
      <div class="fuse-setting-value">
        {fixed ? (
          <output
            id={id}
            class={`fuse-mono fuse-value ${at.how === "unset" ? "fuse-quiet" : ""}`}
            data-fuse-field={path}
            aria-live="off"
          >
            {current ? fixedText(field, at) : "\u2026"}
          </output>
        ) : field.kind === "choice" ? (
          <Choice {...control} />
        ) : field.kind === "json" ? (
          <Json {...control} />
        ) : (
          <Line {...control} />
        )}
        {at.how === "mixed" && !fixed && field.kind !== "choice" && (
          <Button
            does="unset"
            class="fuse-unset"
            title={`Unset ${oneLine(path, 60)} on all of these nodes`}
            label={`Unset ${oneLine(path, 60)}`}
            off={lost !== ""}
            act={() => void editor.unset(field, shownFor(settings, field.path))}
          >
            <Picture path={BUTTONS.close} />
          </Button>
        )}
        {field.description && (
          <span class="fuse-spoken" id={`${id}-about`}>
            {field.description}
          </span>
        )}
        {wrong && <Wrong id={`${id}-wrong`} text={draft.error} />}
      </div>
    </div>
  );
}

/** A name that may be broken after an underscore. */
function Words({ text }: { text: string }) {
  return text.split(/(?<=_)/).map((part, place) => (
    <Fragment key={place}>
      {place > 0 && <wbr />}
      {part}
    </Fragment>
  ));
}

export function Group({ field, children }: { field: Field; children: ComponentChildren }) {
  return (
    <fieldset class="fuse-fieldset" title={field.description || undefined}>
      <legend>{oneLine(field.label, 60)}</legend>
      {children}
    </fieldset>
  );
}

function printableText(field: Field, value: Shown): string {
  const text = textOf(field, value);
  if (field.kind !== "json" || text.length < 48) return text;
  return JSON.stringify(value, null, 2);
}

function fixedText(field: Field, at: Standing): string {
  if (at.how === "mixed") return `(mixed) ${differing(at.of)}`;
  return at.how === "set" ? oneLine(worded(at.value), 200) : placeholderOf(field);
}

function differing(values: Shown[]): string {
  return values
    .map((value) => (value === null ? "not set" : oneLine(worded(value), 40)))
    .join(", ");
}

function hintOf(field: Field, at: Standing, current: boolean): string {
  if (!current) return "\u2026";
  if (at.how === "mixed") return `(mixed) ${differing(at.of)}`;
  const hint = placeholderOf(field);
  return field.range ? `${hint}, ${field.range}` : hint;
}

/** Enter sends, Esc gives up; anything else is left to the field. */
function keys(control: Control) {
  return (event: KeyboardEvent): void => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" && !event.shiftKey) control.commit(true);
    else if (event.key === "Escape" && control.draft) control.drop();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
}

function Line(control: Control) {
  const { field, text, hint, readOnly, common, type, commit } = control;
  const number = field.kind === "number";
  return (
    <input
      {...common}
      class={`fuse-control ${number ? "fuse-mono" : ""}`}
      type="text"
      inputMode={!number ? "text" : field.integer ? "numeric" : "decimal"}
      autocomplete="off"
      spellcheck={false}
      placeholder={hint}
      readOnly={readOnly}
      value={text}
      onInput={(event) => type(event.currentTarget.value)}
      onBlur={() => commit()}
      onKeyDown={keys(control)}
    />
  );
}

function Json(control: Control) {
  const { text, hint, readOnly, common, type, commit } = control;
  return (
    <textarea
      title="JSON; Enter sends it, Shift+Enter begins a new line"
      {...common}
      class="fuse-control fuse-mono"
      rows={Math.min(8, text.split("\n").length)}
      spellcheck={false}
      placeholder={hint}
      readOnly={readOnly}
      value={text}
      onInput={(event) => type(event.currentTarget.value)}
      onBlur={() => commit()}
      onKeyDown={keys(control)}
    />
  );
}

function Choice(control: Control) {
  const { field, at, text, current, readOnly, common, type, commit, draft } = control;
  const options = [...field.options];
  const odd = at.how === "set" && text !== "" && !draft;
  const has = (value: Shown): boolean =>
    options.some((option) => textOf(field, option) === textOf(field, value));
  if (field.nullable && (field.default !== null || (at.how === "set" && at.value === null)))
    options.push(null);
  if (odd && !has(at.value)) options.push(at.value);
  const mixed = at.how === "mixed" && !draft;
  return (
    <select
      {...common}
      class="fuse-control"
      disabled={readOnly}
      value={mixed ? "mixed" : text}
      onChange={(event) => {
        type(event.currentTarget.value);
        commit(true);
      }}
      onKeyDown={(event) => event.key === "Escape" && draft && keys(control)(event)}
    >
      {!current && <option value="">{"\u2026"}</option>}
      {mixed && at.how === "mixed" && (
        <option value="mixed" disabled>
          {`(mixed) ${differing(at.of)}`}
        </option>
      )}
      {current && <option value="">{placeholderOf(field)}</option>}
      {options.map((value) => (
        <option key={textOf(field, value)} value={textOf(field, value)}>
          {oneLine(worded(value), 80)}
        </option>
      ))}
    </select>
  );
}
