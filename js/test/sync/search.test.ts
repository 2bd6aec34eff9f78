import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Session } from "../../src/sync/session";
import { bytes, FakeModel, graph, matches, status } from "../fake";

const SPECS = ["a", "b", "ab"].map((name) => ({ name, fn: "f" }));
let controller: AbortController;
const open = (traits = {}) => {
  const model = new FakeModel({ _graph: graph(SPECS), _status: status(3), ...traits });
  const s = new Session(model, controller.signal);
  const index = () => s.search.index && [...s.search.index];
  const type = (text: string) => {
    s.find(text);
    vi.advanceTimersByTime(30);
  };
  return { model, s, index, type };
};

beforeEach(() => {
  vi.useFakeTimers();
  controller = new AbortController();
});
afterEach(() => {
  controller.abort();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe("a search", () => {
  it("goes to the kernel when typing has stopped, once, and at once where asked or cleared", () => {
    const { model, s } = open();
    s.find("a");
    vi.advanceTimersByTime(20);
    s.find("ab");
    expect([s.search.query, model.traits.query]).toEqual(["ab", ""]);
    vi.advanceTimersByTime(30);
    expect([model.traits.query, model.saved]).toEqual(["ab", 1]);
    s.find("abc", true);
    expect([model.traits.query, model.saved]).toEqual(["abc", 2]);
    s.find("");
    expect([model.traits.query, model.saved]).toEqual(["", 3]);
  });

  it("is pending until its own answer comes; older matches stay meanwhile", () => {
    const { model, s, index, type } = open();
    type("a.*");
    expect(s.search).toEqual({ query: "a.*", index: null, error: "", pending: true });
    model.set("_matches", matches("a.*", [0, 2]));
    expect([index(), s.search.pending]).toEqual([[0, 2], false]);
    type("b");
    expect([index(), s.search.pending]).toEqual([[0, 2], true]);
    model.set("_matches", matches("b", [1]));
    expect([index(), s.search.pending]).toEqual([[1], false]);
  });

  it("is not sent where it is so long that the connection would break", () => {
    const { model, s, index, type } = open();
    type("a");
    model.set("_matches", matches("a", [0]));
    type("x".repeat(12_000_000));
    expect([model.traits.query, model.saved, index()]).toEqual(["a", 1, [0]]);
    expect([s.search.error, s.search.pending]).toEqual([
      "a pattern has at most 10,000 characters, this 12,000,000",
      false,
    ]);
    type("b");
    expect([model.traits.query, s.search.error]).toEqual(["b", ""]);
  });

  it("keeps the last good matches of a broken pattern, with what is wrong", () => {
    const { model, s, index, type } = open();
    type("a");
    model.set("_matches", matches("a", [0]));
    type("(a");
    model.set("_matches", matches("a", [0], { error: "missing )" }));
    expect([index(), s.search.error, s.search.pending]).toEqual([[0], "missing )", false]);
    type("a");
    expect(s.search.pending).toBe(true);
    model.set("_matches", matches("a", [0]));
    expect([s.search.error, s.search.pending]).toEqual(["", false]);
  });

  it("shows nothing of an earlier search after the field was cleared", () => {
    const { model, s, index, type } = open();
    type("a");
    model.set("_matches", matches("a", [0]));
    s.find("");
    expect(s.search).toEqual({ query: "", index: null, error: "", pending: false });
    type("b");
    expect(index()).toBeNull();
    model.set("_matches", matches("b", [1]));
    expect(index()).toEqual([1]);
  });

  it("is not overwritten by an echo of an older text", () => {
    const { model, s, type } = open();
    type("a");
    type("ab");
    model.set("query", "a");
    expect([s.search.query, model.traits.query]).toEqual(["ab", "ab"]);
    s.find("abc");
    model.set("query", "ab");
    expect(s.search.query).toBe("abc");
    vi.advanceTimersByTime(30);
    expect(model.traits.query).toBe("abc");
  });

  it("takes what is set in Python, also a text that was typed before", () => {
    const { model, s, type } = open();
    model.set("query", "b");
    expect([s.search.query, s.search.pending]).toEqual(["b", true]);
    type("a");
    model.set("_matches", matches("a", [0]));
    type("ab");
    model.set("_matches", matches("ab", [2]));
    model.set("query", "a");
    expect(s.search.query).toBe("a");
    model.set("query", "");
    expect(s.search.query).toBe("");
  });

  it("says after two seconds that it waits for the kernel, until the answer is there", () => {
    const { model, s } = open();
    s.find("a");
    vi.advanceTimersByTime(1999);
    expect(s.message.kind).toBe("none");
    vi.advanceTimersByTime(1);
    expect(s.message.text).toBe("Waiting for the kernel\u2026");
    model.set("_matches", matches("a", [0]));
    expect(s.message.kind).toBe("none");
  });

  it("waits with matches of another version until they fit, and keeps those of the same nodes", () => {
    const { model, index, type } = open();
    type("a");
    model.set("_matches", matches("a", [0]));
    model.set("_matches", matches("a", [2], { version: 2 }));
    expect(index()).toEqual([0]);
    model.set("_graph", graph([...SPECS].reverse(), { version: 2 }));
    expect(index()).toEqual([2]);
    model.set("_graph", graph([...SPECS].reverse(), { version: 3, direction: "TB" }));
    expect(index()).toEqual([2]);
    model.set("_graph", graph(SPECS, { version: 4 }));
    expect(index()).toBeNull();
  });

  it("shows what the model has when the page is loaded", () => {
    const { s, index } = open({ query: "(", _matches: matches("b", [1], { error: "missing )" }) });
    expect([index(), s.search.error, s.search.pending]).toEqual([[1], "missing )", false]);
  });

  it("keeps the last matches where new ones cannot be read, and says so", () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => {});
    const { model, s, index, type } = open();
    type("a");
    model.set("_matches", matches("a", [0]));
    model.set("_matches", matches("a", [3]));
    expect(s.fault).toBe("a match names node 3, but there are 3 nodes");
    model.set("_matches", { ...matches("a", []), index: bytes(new Uint8Array(3)) });
    expect(s.fault).toBe("the column index has 3 bytes, not a multiple of 4");
    expect(index()).toEqual([0]);
    quiet.mockRestore();
  });
});
