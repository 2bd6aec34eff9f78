// What the panels of one session remember: the tab, what is typed. Views of a session share it.
import { type Signal, signal } from "@preact/signals";
import { Editor } from "../../core/editor";
import type { Session } from "../../core/session";

export const TABS = ["Overview", "backend_info", "Output", "Result", "Source"] as const;
export type Tab = (typeof TABS)[number];

export interface Remembered {
  tab: Signal<Tab>;
  editor: Editor;
  /** Another number whenever the editor has changed. */
  edited: Signal<number>;
  /** Whether raw JSON is shown in place of the form. */
  raw: Signal<boolean>;
  /** The edits as Python, "" where it is not shown. */
  code: Signal<string>;
}

const known = new WeakMap<Session, Remembered>();

export function remembered(session: Session): Remembered {
  let found = known.get(session);
  if (!found) {
    const edited = signal(0);
    const editor = new Editor(session, () => edited.value++);
    found = { tab: signal<Tab>("Overview"), editor, edited, raw: signal(false), code: signal("") };
    known.set(session, found);
  }
  return found;
}
