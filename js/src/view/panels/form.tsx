// The form for `backend_info`: fields from the schema of the backend, for one node or for all that are selected.
import { useLayoutEffect } from "preact/hooks";
import { isCurrent, reprOf, type Standing, selectionKey, standing } from "../../core/details";
import { flat } from "../../core/editor";
import { counted, oneLine } from "../../core/format";
import { whyLost } from "../../core/kernel";
import { type Field, fieldsOf } from "../../core/schema";
import type { Together, Settings as Values } from "../../core/types";
import { Button } from "./bits";
import { Doing } from "./doing";
import { Group, type Place, Setting } from "./field";
import type { Given } from "./panel";
import { RawJson } from "./rawjson";
import { remembered } from "./state";

/** The form as a part of its own. */
export function Form(given: Given) {
  return (
    <div class="fuse-tabarea fuse-alone">
      {given.signals.nodes.value.length ? (
        <Settings given={given} headed={false} />
      ) : (
        <p class="fuse-quiet">Select nodes to edit their backend_info.</p>
      )}
    </div>
  );
}

const NOTHING: Values = { values: {}, mixed: {}, inside: {}, unknown: [] };
const made = new WeakMap<object, Field[]>();

function fieldsFor(schema: Record<string, unknown>): Field[] {
  const fields = made.get(schema) ?? fieldsOf(schema);
  made.set(schema, fields);
  return fields;
}

/** @param headed whether the name of the node stands above it. */
export function Settings({ given, headed }: { given: Given; headed: boolean }) {
  const { session, signals } = given;
  const { topics } = signals;
  const { editor, edited, raw } = remembered(session);
  void [topics.selected.value, topics.details.value, topics.edits.value];
  void [edited.value, signals.graph.value, topics.kernel.value];
  const fields = fieldsFor(session.schema);
  const current = isCurrent(session.details, session);
  const settings = (current && session.details?.settings) || NOTHING;
  const place: Place = { editor, settings, current, lost: whyLost(session.kernel) };
  const about = selectionKey(session.selected);
  // What was being typed for the selection before is sent, as when its field is left.
  useLayoutEffect(() => void editor.leave(flat(fields)), [about]);
  const keys = (event: KeyboardEvent): void => {
    const target = event.target as Element;
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.altKey || (key !== "z" && key !== "y")) return;
    if (target.matches("input, textarea")) return;
    event.preventDefault();
    event.stopPropagation();
    void editor.undo(key === "y" || event.shiftKey ? "redo" : "undo");
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the fields in it
    <div class="fuse-editing" aria-busy={!current} onKeyDown={keys}>
      <div class="fuse-settings">
        <div class="fuse-form-top">
          <About given={given} headed={headed} />
          <Button
            does="raw-json"
            class="fuse-tag fuse-tag-button"
            pressed={raw.value}
            title={raw.value ? "Show the form" : "Show and edit the settings as JSON"}
            act={() => (raw.value = !raw.value)}
          >
            JSON
          </Button>
        </div>
        {raw.value ? (
          <RawJson place={place} />
        ) : (
          <>
            {fields.length === 0 && (
              <p class="fuse-quiet">
                This backend does not describe its settings; all that is set is kept as it is.
              </p>
            )}
            {fields.map((field) => (
              <OneField key={field.label} field={field} place={place} />
            ))}
            <Unknown given={given} place={place} fields={fields} />
          </>
        )}
      </div>
      <Doing given={given} />
    </div>
  );
}

/** "Editing 4 nodes that match .*SVM.*". */
function About({ given, headed }: { given: Given; headed: boolean }) {
  const { selected, search, store } = given.session;
  void [given.signals.topics.search.value, given.signals.graph.value];
  const nodes = given.signals.nodes.value;
  const matches = search.index;
  const set = new Set(nodes);
  const same =
    search.query !== "" &&
    !search.error &&
    !search.pending &&
    matches?.length === set.size &&
    matches.every((node) => set.has(node));
  if (nodes.length === 1 && headed && !same) {
    return <div class="fuse-quiet fuse-form-about">backend_info of this node</div>;
  }
  const name = nodes.length === 1 ? oneLine(store.graph?.names[nodes[0]] ?? selected[0], 120) : "";
  return (
    <div class="fuse-quiet fuse-form-about">
      Editing <strong>{name || counted(nodes.length, "node")}</strong>
      {same && (
        <>
          {nodes.length === 1 ? " that matches " : " that match "}
          <code class="fuse-tag">{oneLine(search.query, 80)}</code>
        </>
      )}
    </div>
  );
}

function OneField({ field, place }: { field: Field; place: Place }) {
  if (field.kind !== "group") return <Setting field={field} place={place} />;
  // Where something else than an object stands, in one node at least, there are no fields in it: JSON for all of it.
  if (!holdsFields(standing(place.settings, field.path), place.settings, field.path)) {
    return <Setting field={{ ...field, kind: "json" }} place={place} />;
  }
  return (
    <Group field={field}>
      {field.fields.map((inner) => (
        <OneField key={inner.label} field={inner} place={place} />
      ))}
    </Group>
  );
}

function holdsFields(at: Standing, settings: Together, path: readonly string[]): boolean {
  if (at.how === "unset") return true;
  if (at.how === "set")
    return typeof at.value === "object" && !Array.isArray(at.value) && reprOf(at.value) === null;
  const [first, ...rest] = path;
  if (!Object.hasOwn(settings.inside, first)) return false;
  return rest.length === 0 || holdsFields(at, settings.inside[first], rest);
}

/** Keys that are set and not in the schema. */
function Unknown({ given, place, fields }: { given: Given; place: Place; fields: Field[] }) {
  const { values, mixed, unknown } = place.settings;
  const known = new Set(fields.map((field) => field.label));
  const all = new Set([...unknown, ...Object.keys(values), ...Object.keys(mixed)]);
  const keys = [...all].filter((key) => !known.has(key)).sort();
  if (!keys.length) return null;
  const backend = given.session.schema["x-fuse-backend"];
  const who = typeof backend === "string" ? oneLine(backend, 60) : "the backend";
  return (
    <fieldset class="fuse-fieldset">
      <legend>Other keys</legend>
      {fields.length > 0 && <p class="fuse-quiet">Kept; {who} does not understand them.</p>}
      {keys.map((key) => (
        <Setting key={key} field={{ ...ANY, path: [key], label: key }} place={place} />
      ))}
    </fieldset>
  );
}

const ANY: Omit<Field, "path" | "label"> = {
  kind: "json",
  description: "",
  options: [],
  takes: [],
  integer: false,
  nullable: true,
  default: undefined,
  range: "",
  fields: [],
};
