// What the outline shows and does, without its looks: rows, filter, selection, keys. Lives as long as the panel.
import { computed, effect, signal, untracked } from "@preact/signals";
import {
  type Column,
  listed,
  nextSorting,
  range,
  rowAfter,
  type Sorting,
} from "../../core/outline";
import { isActive } from "../../core/reducer";
import { State } from "../../core/types";
import { freshId } from "./bits";
import type { Given } from "./panel";

/** Height of a row and of the head, pixels. */
export const ROW = 28;
/** Rows drawn beyond those in sight, at each end. */
const MORE = 6;
const TICK = 200;
const NONE: Uint32Array = new Uint32Array();

export class List {
  /** What the ids of its elements begin with. */
  readonly id = freshId();
  readonly sorting = signal<Sorting | null>(null);
  readonly text = signal("");
  readonly states = signal<ReadonlySet<number>>(new Set());
  readonly onlyMatches = signal(false);
  /** The node that keys start from, -1 for none. */
  readonly active = signal(-1);
  /** Another number when states have changed or time has passed: once a frame at most. */
  readonly frame = signal(0);
  /** What is scrolled to and how much of it is in sight, pixels. */
  readonly top = signal(0);
  readonly room = signal(0);
  readonly open = computed(() => {
    this.given.signals.topics.panels.value;
    return this.given.graph === null || this.given.session.panels.includes("outline");
  });
  readonly selected = computed(() => new Set(this.given.signals.nodes.value));
  /** 1 for each node that the search matches; null without a search. */
  readonly matched = computed(() => {
    const { session, signals } = this.given;
    signals.graph.value;
    signals.topics.search.value;
    const { query, index } = session.search;
    const { graph } = session.store;
    if (!query || !index || !graph) return null;
    const marks = new Uint8Array(graph.names.length);
    for (const i of index) marks[i] = 1;
    return marks;
  });
  readonly filtering = computed(
    () =>
      this.text.value.trim() !== "" ||
      this.states.value.size > 0 ||
      (this.onlyMatches.value && this.matched.value !== null),
  );
  readonly rows = computed(() => {
    const { session, signals } = this.given;
    signals.graph.value;
    const { graph, run } = session.store;
    const sorting = this.sorting.value;
    const states = this.states.value;
    const live = sorting && sorting.column !== "name" && sorting.column !== "function";
    if (live || states.size) this.frame.value;
    if (!graph) return NONE;
    const only = this.onlyMatches.value ? this.matched.value : null;
    const filter = { text: this.text.value, states, only };
    const now = listed(graph, run, sorting, filter, session.store.kernelNow());
    if (!equal(now, this.#rows)) this.#rows = now;
    return this.#rows;
  });
  /** The first row that is drawn, and the one after the last. */
  readonly first = computed(() => Math.max(0, Math.floor(this.top.value / ROW) - MORE));
  readonly end = computed(() => {
    const last = Math.ceil((this.top.value + this.room.value) / ROW) + MORE;
    return Math.min(this.rows.value.length, last);
  });
  #rows: Uint32Array = NONE;
  #anchor = -1;
  #grid: HTMLElement | null = null;
  #own = false;
  #due = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly given: Given) {}

  /** Follows the session until the function it gives is called. */
  start(): () => void {
    const { signals } = this.given;
    const stops = [
      effect(() => {
        signals.run.value;
        if (this.open.value) this.#ask();
      }),
      effect(() => {
        signals.graph.value;
        signals.topics.selected.value;
        if (!this.#own) untracked(() => this.#elsewhere());
      }),
    ];
    return () => {
      for (const stop of stops) stop();
      cancelAnimationFrame(this.#due);
      clearTimeout(this.#timer);
    };
  }

  /** Takes the element that scrolls, and gives what ends it. */
  attach(grid: HTMLElement): () => void {
    this.#grid = grid;
    const measure = (): void => {
      this.room.value = Math.max(0, grid.clientHeight - ROW);
    };
    const watch = new ResizeObserver(measure);
    watch.observe(grid);
    measure();
    this.top.value = grid.scrollTop;
    this.scrollTo(this.active.peek());
    return () => {
      watch.disconnect();
      this.#grid = null;
    };
  }

  focus(): void {
    this.#grid?.focus();
  }

  scrolled(): void {
    if (this.#grid) this.top.value = this.#grid.scrollTop;
  }

  /** The head of a column was pressed. */
  sort(column: Column): void {
    this.sorting.value = nextSorting(this.sorting.value, column);
    this.scrollTo(this.active.peek());
  }

  toggleState(code: number): void {
    const states = new Set(this.states.value);
    if (!states.delete(code)) states.add(code);
    this.states.value = states;
  }

  showAll(): void {
    this.text.value = "";
    this.states.value = new Set();
    this.onlyMatches.value = false;
  }

  /** Brings the row of a node into sight, and scrolls no further than that takes. */
  scrollTo(node: number): void {
    const at = node < 0 ? -1 : this.rows.peek().indexOf(node);
    const grid = this.#grid;
    if (at < 0 || !grid) return;
    const [above, below] = [at * ROW, (at + 1) * ROW - this.room.peek()];
    if (grid.scrollTop > above) grid.scrollTop = above;
    else if (grid.scrollTop < below) grid.scrollTop = below;
    this.scrolled();
  }

  click(node: number, event: MouseEvent): void {
    if (event.shiftKey) this.#extend(node);
    else if (event.ctrlKey || event.metaKey) this.#toggle(node);
    else this.#choose(node);
  }

  /** A key on the list; true where it was one of its own. */
  key(event: KeyboardEvent): boolean {
    const mod = event.ctrlKey || event.metaKey;
    const { key } = event;
    const active = this.active.peek();
    if (event.altKey) return false;
    if (mod && key.toLowerCase() === "a") this.#select(this.rows.peek());
    else if (key === " ") {
      if (active >= 0) this.#toggle(active);
    } else if (key === "Enter") {
      if (active >= 0) this.show(active);
    } else {
      const page = Math.max(1, Math.floor(this.room.peek() / ROW) - 1);
      const to = rowAfter(this.rows.peek(), active, key, page);
      if (to < 0) return false;
      if (event.shiftKey) this.#extend(to);
      else if (mod) this.#go(to);
      else this.#choose(to);
    }
    return true;
  }

  /** Whether an arrow up leads to the heads. */
  atTop(): boolean {
    const rows = this.rows.peek();
    return rows.length === 0 || rows[0] === this.active.peek();
  }

  /** The list has got the focus: keys start from a row in sight. Nothing moves: a click may be under way. */
  focused(): void {
    const rows = this.rows.peek();
    if (rows.includes(this.active.peek())) return;
    this.active.value = rows[Math.ceil(this.top.peek() / ROW)] ?? -1;
  }

  /** Shows a node in the graph and in the inspector. */
  show(node: number): void {
    const { session, graph } = this.given;
    if (!this.selected.peek().has(node)) this.#choose(node);
    session.open("inspector", true);
    graph?.show(node);
  }

  #choose(node: number): void {
    this.#anchor = node;
    this.#select([node]);
    this.#go(node);
  }

  #toggle(node: number): void {
    const selected = new Set(this.selected.peek());
    if (!selected.delete(node)) selected.add(node);
    this.#anchor = node;
    this.#select(selected);
    this.#go(node);
  }

  #extend(node: number): void {
    if (this.#anchor < 0) this.#anchor = this.active.peek() >= 0 ? this.active.peek() : node;
    this.#select(range(this.rows.peek(), this.#anchor, node));
    this.#go(node);
  }

  #go(node: number): void {
    this.active.value = node;
    this.scrollTo(node);
  }

  #select(nodes: Iterable<number>): void {
    const { session } = this.given;
    const names = session.store.graph?.names ?? [];
    this.#own = true;
    try {
      session.select(Array.from(nodes, (i) => names[i]));
    } finally {
      this.#own = false;
    }
  }

  /** Selected in the graph or in Python: the newest one is where keys go on. */
  #elsewhere(): void {
    const { session } = this.given;
    const i = session.store.indexOf(session.selected.at(-1) ?? "");
    const n = session.store.graph?.names.length ?? 0;
    if (i === undefined || !session.selected.length) {
      if (this.active.peek() >= n) this.active.value = -1;
      this.#anchor = -1;
      return;
    }
    this.#anchor = i;
    this.#go(i);
  }

  #ask(): void {
    if (this.#due) return;
    this.#due = requestAnimationFrame(() => {
      this.#due = 0;
      this.frame.value++;
      const { store } = this.given.session;
      const ticks =
        isActive(store.run.runState) && store.live && store.run.counts[State.running] > 0;
      clearTimeout(this.#timer);
      if (ticks && this.open.peek()) this.#timer = setTimeout(() => this.#ask(), TICK);
    });
  }
}

function equal(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((value, k) => value === b[k]);
}
