// The kernel's side of inspector and form, as far as the browser needs one to be looked at and tested.
import { alike, selectionKey, shownFor } from "../src/core/details";
import type { Command, Details, NodeDetails, Preview, Shown, Together } from "../src/core/types";
import { bytes, type FakeModel, type Spec } from "./fake";
import { SCHEMA } from "./fake_settings";

type Info = Record<string, Shown>;

export class FakeInspection {
  infos: Info[];
  schema = SCHEMA;
  preview: Preview | Error = { kind: "text", content: "0.973", note: "" };
  /** What was displayed, by number. */
  displays: Record<number, Preview> = { 1: { kind: "text", content: "displayed", note: "" } };
  /** Nodes as their details shall be. */
  made = new Map<number, Partial<NodeDetails>>();
  countsFrom = "";
  /** Whether details of a new selection are still on their way. */
  late = false;
  #before: Info[][] = [];
  #after: Info[][] = [];

  constructor(
    readonly model: FakeModel,
    readonly specs: Spec[],
  ) {
    this.infos = specs.map(() => ({}));
    model.traits._schema = this.schema;
    model.on("change:selected", () => this.late || this.tell());
    this.#edits(null);
  }

  get selected(): number[] {
    const { specs } = this;
    return (this.model.traits.selected ?? []).map((name) =>
      specs.findIndex((s) => s.name === name),
    );
  }

  /** Something has changed in Python. */
  tell(): void {
    this.model.set("_details", this.details());
  }

  /** `backend_info` was changed, as if by edits. */
  edited(): void {
    this.#edits(null);
  }

  details(nodes = this.selected): Details {
    const names = nodes.map((i) => this.specs[i].name);
    const infos = nodes.map((i) => this.infos[i]);
    const together = togetherOf(infos);
    const keys = [...Object.keys(together.values), ...Object.keys(together.mixed)];
    const known = Object.keys((this.schema.properties as object | undefined) ?? {});
    return {
      version: this.model.traits._graph?.version ?? 1,
      count: nodes.length,
      key: selectionKey(names),
      node: nodes.length === 1 ? this.node(nodes[0]) : null,
      settings: { ...together, unknown: keys.filter((key) => !known.includes(key)) },
    };
  }

  node(index: number): NodeDetails {
    const { name, fn, kind, parents } = this.specs[index];
    return {
      index,
      name,
      kind: (["function", "constructor", "method"] as const)[kind ?? 0],
      function: fn,
      module: "classifiers.models",
      file: "/home/someone/projects/classifiers/src/classifiers/models.py",
      line: 41,
      signature: "(data: Split, model: str = 'svm', *, C: float = 1.0) -> Score",
      docstring:
        "Fit a model on the training half and score it on the other.\n\nReturns the accuracy.",
      source: `@workflow\ndef ${fn}(data, model="svm", *, C=1.0):\n    """Fit a model on the training half and score it on the other."""\n    fitted = MODELS[model](C=C).fit(data.x_train, data.y_train)\n\tprint(f"{model}: fitted {len(data.x_train)} samples")\n    return fitted.score(data.x_test, data.y_test)\n`,
      made: "In[3], line 12",
      arguments: [
        ...(parents ?? []).map((p, k) => ({
          name: k ? `*rest` : "data",
          text: this.specs[p].name,
          nodes: [p],
        })),
        { name: "model", text: "'svm'", nodes: [] },
        { name: "C", text: "10.0", nodes: [] },
        { name: "grid", text: "array([[0., 0.5, 1.], [1., 1.5, 2.]]), float64, 2 x 3", nodes: [] },
      ],
      attempts: [],
      failure: null,
      result: { type: "numpy.ndarray", shape: "1000 x 3", detail: "float64", bytes: 24_000 },
      why_no_result: "",
      not_tracked: [],
      ...this.made.get(index),
    };
  }

  /** Answers a command; false for one that is none of these. */
  answer(command: Command): boolean {
    const { name, args } = command;
    if (name === "preview") {
      const { preview } = this;
      if (preview instanceof Error) this.model.reply(command, false, preview.message);
      else this.#reply(command, preview);
    } else if (name === "display") {
      const display = this.displays[Number(args.number)];
      if (display) this.#reply(command, display);
      else this.model.reply(command, false, "This display is no longer kept.");
    } else if (name === "code") this.#reply(command, { code: this.code() });
    else if (name === "edit") this.#edit(command, args as unknown as EditArgs);
    else if (name === "undo" || name === "redo") {
      const [from, to] =
        name === "undo" ? [this.#before, this.#after] : [this.#after, this.#before];
      const infos = from.pop();
      if (infos) {
        to.push(this.infos);
        this.infos = infos;
      }
      this.#edits({
        id: command.id,
        ok: infos !== undefined,
        text: infos ? "" : "nothing",
        errors: {},
      });
    } else return false;
    return true;
  }

  code(): string {
    const set = this.infos.findIndex((info) => Object.keys(info).length);
    if (set < 0) return "";
    const calls = Object.entries(this.infos[set]).map(
      ([key, value]) => `    .set_backend_info("${key}", ${JSON.stringify(value)})`,
    );
    return ["(", '    wf.query(r".*SVM.*")', ...calls, ")"].join("\n");
  }

  #reply(command: Command, data: unknown): void {
    this.model.fire("msg:custom", { kind: "reply", id: command.id, ok: true, text: "", data }, []);
  }

  #edit({ id }: Command, { nodes, at, set, unset, was }: EditArgs): void {
    const errors: Record<string, string> = {};
    const { settings } = this.details(nodes);
    for (const [key, value] of Object.entries(was)) {
      const path = [...at, key];
      if (!alike(shownFor(settings, path), value))
        errors[path.join(".")] = "it was changed meanwhile; look again, then press Enter";
    }
    const { retries, timeout, num_cpus } = set as Record<string, number>;
    if (retries !== undefined && !(Number.isInteger(retries) && retries >= 0 && retries <= 1000))
      errors.retries = "has to be a whole number";
    if (timeout !== undefined && timeout !== null && !(timeout > 0))
      errors.timeout = "has to be more than 0";
    if (Number(num_cpus ?? 0) < 0) errors["remote_args.num_cpus"] = "has to be 0 or more";
    const ok = Object.keys(errors).length === 0;
    if (ok) {
      this.#before.push(this.infos);
      this.#after = [];
      this.infos = this.infos.map((info, i) => {
        if (!nodes.includes(i)) return info;
        return edited(info, at, set, unset);
      });
    }
    this.#edits({ id, ok, text: ok ? "" : "not changed", errors });
  }

  #edits(
    answer: { id: string; ok: boolean; text: string; errors: Record<string, string> } | null,
  ): void {
    const changed = this.infos.flatMap((info, i) => (Object.keys(info).length ? [i] : []));
    const { model } = this;
    model.traits._details = this.details();
    model.set("_edits", {
      version: model.traits._graph?.version ?? 1,
      undo: this.#before.length ? "set retries of 4 nodes" : "",
      redo: this.#after.length ? "set retries of 4 nodes" : "",
      counts_from: this.#before.length ? this.countsFrom : "",
      answer,
      changed: bytes(Uint32Array.from(changed)),
    });
    model.fire("change:_details");
  }
}

const objectOf = (value: Shown): Info =>
  typeof value === "object" && value !== null ? (value as Info) : {};

function edited(info: Info, [first, ...rest]: string[], set: Info, unset: string[]): Info {
  if (first !== undefined) set = { [first]: edited(objectOf(info[first]), rest, set, unset) };
  const gone =
    first === undefined ? unset : Object.keys(objectOf(set[first])).length ? [] : [first];
  return Object.fromEntries(
    Object.entries({ ...info, ...set }).filter(([key]) => !gone.includes(key)),
  );
}

function togetherOf(infos: Info[], depth = 3): Together {
  const keys = [...new Set(infos.flatMap((info) => Object.keys(info)))];
  const values: Info = {};
  const mixed: Record<string, Shown[]> = {};
  const inside: Record<string, Together> = {};
  for (const key of keys) {
    const different: Shown[] = [];
    for (const info of infos) {
      const value = Object.hasOwn(info, key) ? info[key] : null;
      if (!different.some((other) => alike(other, value))) different.push(value);
    }
    const objects = different.every((value) => typeof value === "object" && !Array.isArray(value));
    if (different.length === 1) values[key] = different[0];
    else {
      mixed[key] = different.slice(0, 5);
      if (objects && depth)
        inside[key] = togetherOf(
          infos.map((info) => objectOf(info[key])),
          depth - 1,
        );
    }
  }
  return { values, mixed, inside };
}

interface EditArgs {
  nodes: number[];
  at: string[];
  set: Info;
  unset: string[];
  was: Info;
}
