// What a person has typed into the form and the kernel has not taken yet. Shared by all views of a session; no DOM.
import {
  alike,
  holdsRepr,
  isFixed,
  selectedNodes,
  selectionKey,
  shownFor,
  standing,
} from "./details";
import { type Field, type Parsed, parsed, parsedJson } from "./schema";
import type { Session } from "./session";
import type { EditAnswer, Settings, Shown } from "./types";

export interface Draft {
  text: string;
  state: "typing" | "pending" | "refused";
  error: string;
  /** What the form showed when the typing began. */
  was: Shown;
}

/** What an edit is about: keys of one object, each with what it shall be; undefined to unset it. */
type Change = Map<string, Shown | undefined>;
type Work = { ok: true; change: Change } | { ok: false; error: string };

interface Group {
  names: readonly string[];
  drafts: Map<string, Draft>;
}

/** The raw JSON has a draft as well, under the path of no field. */
export const RAW = "";
export const pathOf = (field: Field): string => field.path.join(".");

const NO_JSON =
  "it contains values that are not JSON and would be lost; use the form, or set it in Python";

export class Editor {
  /** What is wrong with the last undo or redo, "" where nothing is. */
  problem = "";
  /** What the last edit, undo or redo did, in the kernel's words. */
  note = "";
  /** The one of undo and redo that waits for its answer. */
  busy: "undo" | "redo" | "" = "";
  #groups = new Map<string, Group>();

  /** @param changed called after every change here. */
  constructor(
    readonly session: Session,
    readonly changed: () => void,
  ) {}

  draft(path: string): Draft | undefined {
    return this.#groups.get(selectionKey(this.session.selected))?.drafts.get(path);
  }

  /** A person has typed; `shown` is what the field shows where nothing is typed, `was` what stands there. */
  type(path: string, text: string, shown: string, was: Shown): void {
    const names = this.session.selected;
    const key = selectionKey(names);
    const group = this.#groups.get(key) ?? { names, drafts: new Map<string, Draft>() };
    const before = group.drafts.get(path);
    if (text === shown && before?.state !== "pending") this.#forget(key, path);
    else {
      this.#groups.set(key, group);
      const error = before?.error ?? "";
      const began = before ? before.was : was;
      group.drafts.set(path, { text, state: "typing", error, was: began });
    }
    this.changed();
  }

  /** Takes a key away that is not the same in all nodes: nothing can be emptied there. */
  async unset(field: Field, was: Shown): Promise<void> {
    this.type(pathOf(field), "", "\0", was);
    await this.commit(field, true);
  }

  /** What was typed is of no interest any more. */
  drop(path: string): void {
    this.#forget(selectionKey(this.session.selected), path);
    this.changed();
  }

  /** Sends what was typed into a field; `again` also where it was refused before. */
  async commit(field: Field, again = false): Promise<void> {
    const key = selectionKey(this.session.selected);
    await this.#commit(key, field.path, again, (draft) => changeOf(field, draft));
  }

  /** Sends what the raw JSON would change. */
  async commitRaw(settings: Settings): Promise<void> {
    const key = selectionKey(this.session.selected);
    await this.#commit(key, [], true, (draft) => changeOfRaw(draft.text, settings), settings);
  }

  /** Another selection: what was still being typed for the one before is sent, as when a field is left. */
  async leave(fields: readonly Field[]): Promise<void> {
    const now = selectionKey(this.session.selected);
    const all = flat(fields);
    const sent: Promise<void>[] = [];
    for (const [key, { drafts }] of this.#groups) {
      if (key === now) continue;
      for (const [path, draft] of drafts) {
        const field = all.find((other) => pathOf(other) === path);
        if (draft.state === "typing" && field) {
          sent.push(this.#commit(key, field.path, false, (typed) => changeOf(field, typed)));
        }
      }
    }
    await Promise.all(sent);
  }

  async undo(which: "undo" | "redo"): Promise<void> {
    if (this.busy) return;
    this.busy = which;
    this.problem = "";
    this.changed();
    try {
      const answer = await this.session.edit(which);
      if (answer.ok) this.note = answer.text;
      else this.problem = said(answer);
    } catch (error) {
      this.problem = words(error);
    }
    this.busy = "";
    this.changed();
  }

  async #commit(
    key: string,
    at: readonly string[],
    again: boolean,
    work: (draft: Draft) => Work,
    settings?: Settings,
  ): Promise<void> {
    const path = at.join(".");
    const group = this.#groups.get(key);
    const draft = group?.drafts.get(path);
    if (!group || !draft || draft.state === "pending") return;
    if (draft.state === "refused" && !again) return;
    const done = work(draft);
    if (!done.ok) {
      this.#refuse(draft, done.error);
      return;
    }
    if (!done.change.size) {
      this.#forget(key, path);
      this.changed();
      return;
    }
    Object.assign(draft, { state: "pending", error: "" });
    this.changed();
    let error = "";
    try {
      const was = (name: string): Shown => (settings ? shownFor(settings, [name]) : draft.was);
      const message = this.#message(group.names, at.slice(0, -1), done.change, was);
      const answer = await this.session.edit("edit", message);
      if (answer.ok) [this.note, this.problem] = [answer.text, ""];
      else error = said(answer, path);
    } catch (failed) {
      error = words(failed);
    }
    // Typed on meanwhile: that is another draft now, which shall not be refused for what was sent before it.
    const now = group.drafts.get(path);
    if (now !== draft) {
      if (now) now.was = this.#shown(key, at, now.was);
    } else if (error) {
      draft.was = this.#shown(key, at, draft.was);
      this.#refuse(draft, error);
      return;
    } else this.#forget(key, path);
    this.changed();
  }

  #message(
    names: readonly string[],
    at: readonly string[],
    change: Change,
    was: (name: string) => Shown,
  ): Record<string, unknown> {
    const { store } = this.session;
    const entries = [...change];
    return {
      nodes: selectedNodes({ selected: names, store }),
      version: store.graph?.version,
      at,
      set: Object.fromEntries(entries.filter(([, value]) => value !== undefined)),
      unset: entries.flatMap(([name, value]) => (value === undefined ? [name] : [])),
      was: Object.fromEntries(entries.map(([name]) => [name, was(name)])),
    };
  }

  /** What the form shows by now where it still shows that selection. */
  #shown(key: string, at: readonly string[], otherwise: Shown): Shown {
    const { details } = this.session;
    if (!details || details.key !== key || !at.length) return otherwise;
    return shownFor(details.settings, at);
  }

  #refuse(draft: Draft, error: string): void {
    Object.assign(draft, { state: "refused", error });
    this.changed();
  }

  #forget(key: string, path: string): void {
    const group = this.#groups.get(key);
    group?.drafts.delete(path);
    if (group?.drafts.size === 0) this.#groups.delete(key);
  }
}

export function flat(fields: readonly Field[]): Field[] {
  return fields.flatMap((field) => [field, ...flat(field.fields)]);
}

function changeOf(field: Field, draft: Draft): Work {
  const got: Parsed = parsed(field, draft.text);
  if (!got.ok) return got;
  return { ok: true, change: new Map([[field.label, "unset" in got ? undefined : got.value]]) };
}

/** The settings as raw JSON shows them, and the keys that cannot stand in it. */
export function rawOf(settings: Settings): { values: Record<string, Shown>; left: string[] } {
  const entries = Object.entries(settings.values);
  return {
    values: Object.fromEntries(entries.filter(([, value]) => !holdsRepr(value))),
    left: [
      ...Object.keys(settings.mixed),
      ...entries.flatMap(([key, value]) => (holdsRepr(value) ? [key] : [])),
    ],
  };
}

function changeOfRaw(text: string, settings: Settings): Work {
  const got = parsedJson(text.trim() || "{}");
  if (!got.ok || "unset" in got) return got as Work;
  if (typeof got.value !== "object" || got.value === null || Array.isArray(got.value))
    return {
      ok: false,
      error: "this is not an object: write {\u2026} with a key for each setting",
    };
  const before = rawOf(settings).values;
  const after = got.value as Record<string, Shown>;
  const change: Change = new Map();
  for (const [key, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, key) || !alike(before[key], value)) change.set(key, value);
  }
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) change.set(key, undefined);
  for (const key of change.keys())
    if (isFixed(standing(settings, [key]))) return { ok: false, error: `${key}: ${NO_JSON}` };
  return { ok: true, change };
}

/** What the kernel says; that of the field itself without naming it. */
function said({ errors, text }: EditAnswer, path = ""): string {
  const lines = Object.entries(errors ?? {}).map(([key, error]) =>
    key === "" || key === path ? error : `${key}: ${error}`,
  );
  return lines.join("\n") || text || "the kernel refused this";
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
