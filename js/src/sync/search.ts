// The two traits of the search, `query` (both ways) and `_matches`: what is typed goes out a little later, and no
// echo of an older text comes back over it.

import { faultOfPattern, NO_SEARCH, type Search } from "../core/search";
import { same } from "../core/selection";
import type { Graph, Matches } from "../core/types";
import { decodeMatches } from "./decode";
import type { Model } from "./model";

/** Milliseconds: from the last key to the kernel, and after which the person is told that it has not answered. */
const DEBOUNCE = 30;
const SLOW = 2000;

export interface Host {
  model: Model;
  graph(): Graph | null;
  changed(): void;
  /** Sends what was set. */
  save(): void;
  /** True once where an answer is late, false with the answer. */
  late(yes: boolean): void;
}

export class Searcher {
  search: Search = NO_SEARCH;
  #query = "";
  #found: Matches | null = null;
  /** The nodes that `#found` speaks of. */
  #names: string[] = [];
  /** The text that the last answer was for. */
  #answered: string | null = null;
  /** True from a cleared field to the next answer: older matches are not to come back. */
  #cleared = true;
  /** What the kernel has, as far as is known, and what was sent since the last answer. */
  #sent = "";
  #echoes: string[] = [];
  #sending: ReturnType<typeof setTimeout> | undefined;
  #slow: ReturnType<typeof setTimeout> | undefined;
  #late = false;

  constructor(readonly host: Host) {}

  /** Takes what is typed; `now` sends it at once. */
  type(query: string, now: boolean): void {
    this.#query = query;
    this.#stop();
    if (faultOfPattern(query)) this.#rest();
    else if (now || !query) this.#send();
    else this.#sending = setTimeout(() => this.#send(), DEBOUNCE);
    this.#update();
  }

  readQuery(): void {
    const value = String(this.host.model.get("query") ?? "");
    const echo = this.#echoes.indexOf(value);
    if (value === this.#query) {
      this.#stop();
      this.#sent = value;
    } else if (echo >= 0) {
      // Older than what is typed. The model keeps what the kernel is to have.
      this.#echoes.splice(0, echo + 1);
      if (this.#sending === undefined) this.#write();
      return;
    } else if (this.#sending !== undefined) return;
    else {
      this.#query = this.#sent = value;
      this.#echoes = [];
    }
    this.#update();
  }

  /** @throws Error where the matches cannot be read; the last ones stay. */
  readMatches(): void {
    const wire = this.host.model.get("_matches");
    const graph = this.host.graph();
    if (!wire?.index || wire.version !== graph?.version) return;
    this.#found = decodeMatches(wire, graph.names.length);
    this.#names = graph.names;
    this.#answered = wire.error ? this.#sent : wire.query;
    this.#cleared = false;
    this.#rest();
    this.#update();
    if (!this.search.pending) this.#echoes = [];
  }

  /** Another graph: matches of the same nodes stay until those of its version come. */
  forget(): void {
    if (!this.#found || same(this.#names, this.host.graph()?.names ?? [])) return;
    this.#found = this.#answered = null;
    this.#update();
  }

  end(): void {
    this.#stop();
    clearTimeout(this.#slow);
  }

  #send(): void {
    this.#sending = undefined;
    if (this.#query === this.#sent) return;
    this.#sent = this.#query;
    this.#echoes.push(this.#query);
    this.#write();
  }

  #write(): void {
    this.host.model.set("query", this.#sent);
    this.host.save();
  }

  #stop(): void {
    clearTimeout(this.#sending);
    this.#sending = undefined;
  }

  /** No longer late, if it was. */
  #rest(): void {
    clearTimeout(this.#slow);
    this.#slow = undefined;
    if (this.#late) this.host.late(false);
    this.#late = false;
  }

  #update(): void {
    const query = this.#query;
    const found = this.#found;
    if (!query) this.#cleared = true;
    const answered = this.#answered === query;
    const known = query && found?.query && (answered || !this.#cleared);
    const index = known ? found.index : null;
    const fault = faultOfPattern(query);
    const said = query && found && (answered || !this.#cleared) ? found.error : "";
    const error = fault || said;
    const pending = query !== "" && !answered && !fault;
    if (!pending) this.#rest();
    else {
      this.#slow ??= setTimeout(() => {
        this.#late = true;
        this.host.late(true);
      }, SLOW);
    }
    const before = this.search;
    this.search = { query, index, error, pending };
    const alike =
      before.query === query &&
      before.index === index &&
      before.error === error &&
      before.pending === pending;
    if (!alike) this.host.changed();
  }
}
