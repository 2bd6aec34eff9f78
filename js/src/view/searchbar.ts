// The field of the search: pattern, count of matches, ways to go through them and to select them.
import { oneLine } from "../core/format";
import { adviceFor, countText, nextMatch } from "../core/search";
import type { Session } from "../core/session";
import { element, glyph, setData, setText } from "./dom";
import type { GraphView } from "./graph";
import { BUTTONS } from "./icons";

export class SearchBar {
  readonly node: HTMLElement;
  readonly session: Session;
  #field: HTMLInputElement;
  #count = element("span", { class: "fuse-count", role: "status" });
  #problem = element("div", { class: "fuse-problem", role: "status" });
  #advice = element("div", { class: "fuse-advice", role: "status" });
  #buttons: HTMLButtonElement[];
  /** Selects a node and goes on from there, on the graph. */
  into: (node: number) => void = () => {};
  /** The match that was last gone to, and the way to go as soon as the matches are there. */
  #at = -1;
  #owed: 1 | -1 | 0 = 0;

  /** @param say tells the person something in passing. */
  constructor(
    readonly graph: GraphView,
    readonly say: (text: string) => void,
    signal: AbortSignal,
  ) {
    const { session } = graph;
    this.session = session;
    this.#field = element("input", {
      class: "fuse-field",
      type: "text",
      placeholder: "Search names: .*fit.*",
      "aria-label": "search for nodes whose names match a regular expression",
      title: "Nodes whose whole names match a regular expression ( / )",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      enterkeyhint: "search",
      "data-fuse-role": "search",
    });
    const button = (role: string, title: string, picture: string, act: () => void, word = "") => {
      const made = element(
        "button",
        { class: "fuse-button fuse-small", type: "button", title, "data-fuse-role": role },
        glyph(picture),
        ...(word ? [element("span", { text: word })] : []),
      );
      made.setAttribute("aria-label", title);
      made.addEventListener("click", act, { signal });
      return made;
    };
    this.#buttons = [
      button("previous", "Previous match (Shift+Enter)", BUTTONS.previous, () => this.go(-1)),
      button("next", "Next match (Enter)", BUTTONS.next, () => this.go(1)),
      button(
        "select-matches",
        "Select the matches",
        BUTTONS.select,
        () => this.#select(),
        "Select",
      ),
    ];
    this.node = element(
      "div",
      { class: "fuse-search", role: "search" },
      this.#field,
      this.#count,
      ...this.#buttons,
      this.#problem,
      this.#advice,
    );
    this.#field.addEventListener("input", () => this.#typed(), { signal });
    this.update();
  }

  /** The match that was last gone to, -1 for none. */
  get at(): number {
    return this.#at;
  }

  /** Shows what the session knows of the search. */
  update(): void {
    const { search, store } = this.session;
    const { query, index, pending } = search;
    // Assigning would move the cursor.
    if (this.#field.value !== query) this.#field.value = query;
    const wrong = search.error !== "";
    setText(this.#count, countText(search, store.graph?.names.length ?? 0));
    setText(this.#problem, oneLine(search.error, 300));
    this.#advise();
    this.node.classList.toggle("fuse-asked", query !== "");
    this.node.classList.toggle("fuse-pending", pending);
    this.node.classList.toggle("fuse-wrong", wrong);
    setData(this.#field, { "aria-invalid": String(wrong) });
    for (const button of this.#buttons) button.disabled = !index?.length;
    if (!query) this.#at = -1;
    if (pending || !this.#owed) return;
    const by = this.#owed;
    this.#owed = 0;
    if (!wrong) this.go(by);
  }

  /** Centres on the next (1) or previous (-1) match. */
  go(by: 1 | -1): void {
    const { index } = this.session.search;
    const node = nextMatch(index, this.#at, by);
    if (node < 0 || !index) return;
    this.#at = node;
    this.graph.showMatch(node);
    this.say(`match ${index.indexOf(node) + 1} of ${index.length}`);
  }

  /** A key anywhere in the widget. */
  key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = event.target as Element;
    const inside = target === this.#field;
    if (event.key === "/" && !target.matches("input, textarea, select")) {
      this.#field.focus();
      this.#field.select();
    } else if (event.key === "Enter" && inside) this.#enter(event.shiftKey ? -1 : 1);
    else if (event.key === "ArrowDown" && inside) this.#leave();
    else if (event.key === "Escape" && this.node.contains(target)) {
      if (this.session.search.query) this.session.find("", true);
      else this.graph.stage.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** A pattern for those who typed a part of a name. */
  #advise(): void {
    const { search, store } = this.session;
    const advice = adviceFor(search, store.graph?.names ?? []);
    if (!advice) {
      this.#advice.replaceChildren();
      return;
    }
    const { pattern, count } = advice;
    const contain = count === 1 ? "1 contains it" : `${count.toLocaleString("en")} contain it`;
    const button = element("button", {
      class: "fuse-link-text",
      type: "button",
      text: oneLine(pattern, 80),
      title: "Search for this",
      "data-fuse-role": "advice",
    });
    button.addEventListener("click", () => {
      this.session.find(pattern, true);
      this.#field.focus();
    });
    this.#advice.replaceChildren(`no whole name matches; ${contain}: `, button);
  }

  #typed(): void {
    this.#owed = 0;
    this.session.find(this.#field.value);
  }

  #enter(by: 1 | -1): void {
    const { query, pending } = this.session.search;
    if (!pending) this.go(by);
    else {
      this.#owed = by;
      this.session.find(query, true);
    }
  }

  /** From the field to the match that was last gone to, or to the first. */
  #leave(): void {
    const node = this.#at >= 0 ? this.#at : nextMatch(this.session.search.index, -1, 1);
    this.graph.stage.focus();
    if (node >= 0) this.into(node);
  }

  #select(): void {
    const { search, store } = this.session;
    const names = store.graph?.names ?? [];
    this.session.select(Array.from(search.index ?? [], (i) => names[i]));
  }
}
