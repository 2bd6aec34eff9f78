import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { State } from "../../src/core/types";
import { NoReply, Requests } from "../../src/sync/requests";
import { Session } from "../../src/sync/session";
import { bytes, delta, FakeModel, graph, status } from "../fake";

const SPECS = [
  { name: "a", fn: "f" },
  { name: "b", fn: "g", parents: [0] },
];
let controller: AbortController;
const session = (traits = {}) => {
  const model = new FakeModel({ _graph: graph(SPECS), _status: status(2), ...traits });
  return { model, session: new Session(model, controller.signal) };
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

describe("a session", () => {
  it("folds what the model has, and every delta after it", () => {
    const { model, session: s } = session();
    model.delta(delta(1, [{ i: 1, state: State.done, seconds: 2 }]), 3);
    expect([...s.store.run.state]).toEqual([0, 4]);
    expect(s.store.run.seconds[1]).toBe(2);
  });

  it("does not send what is so large that the connection would break, and says so", async () => {
    const { model, session: s } = session();
    const edit = s.edit("edit", { set: { team: "x".repeat(11_000_000) } });
    await expect(edit).rejects.toThrow(
      "11.0 MB are too much to send, 2 MB at most; do this in Python",
    );
    expect(model.sent).toEqual([]);
  });

  it("waits a moment at a gap, then asks for the status once, and again only later", () => {
    const { model, session: s } = session();
    model.delta(delta(2, [{ i: 1, state: State.done }]));
    expect(model.sent).toHaveLength(0);
    vi.advanceTimersByTime(100);
    expect(model.sent.map((c) => c.name)).toEqual(["resync"]);
    model.delta(delta(3, [{ i: 0, state: State.done }]));
    vi.advanceTimersByTime(1000);
    expect(model.sent).toHaveLength(1);
    model.set("_status", status(2, { seq: 1, run: 1 }));
    model.reply(model.sent[0]);
    vi.advanceTimersByTime(5000);
    expect([...s.store.run.state]).toEqual([4, 4]);
    expect(model.sent).toHaveLength(1);
  });

  it("does not ask where the missing delta comes at once", () => {
    const { model, session: s } = session();
    model.delta(delta(2, [{ i: 1, state: State.done }]));
    model.delta(delta(1, [{ i: 0, state: State.done }]));
    vi.advanceTimersByTime(5000);
    expect(model.sent).toHaveLength(0);
    expect(s.store.run.seq).toBe(2);
  });

  it("asks how far a run is that was under way when the page was saved, and is not live until it knows", () => {
    const { model, session: s } = session({
      _status: status(2, { run_state: "running", started: 990, run: 1 }),
    });
    expect(model.sent.map((c) => c.name)).toEqual(["resync"]);
    expect(s.store.live).toBe(false);
    vi.advanceTimersByTime(2001);
    expect(s.message).toEqual({ kind: "waiting", text: "Waiting for the kernel\u2026" });
    model.reply(model.sent[0]);
    expect(s.store.live).toBe(true);
  });

  it("says after two seconds that it waits for the kernel, and stops saying so with the reply", async () => {
    const { model, session: s } = session();
    const sent = s.command("run");
    expect(s.waiting.has("run")).toBe(true);
    vi.advanceTimersByTime(1999);
    expect(s.message.kind).toBe("none");
    vi.advanceTimersByTime(1);
    expect(s.message.kind).toBe("waiting");
    model.reply(model.sent[0]);
    await sent;
    expect(s.message.kind).toBe("none");
    expect(s.waiting.size).toBe(0);
  });

  it("says why the kernel refused, also a change that was no command", async () => {
    const { model, session: s } = session();
    const sent = s.command("pause");
    model.reply(model.sent[0], false, "nothing is running");
    await sent;
    expect(s.message).toEqual({ kind: "error", text: "nothing is running" });
    model.fire("msg:custom", { kind: "reply", id: 0, ok: false, text: "no node 'x'" }, []);
    expect(s.message).toEqual({ kind: "error", text: "no node 'x'" });
    model.fire(
      "msg:custom",
      { kind: "reply", id: "another-browser-1", ok: false, text: "not ours" },
      [],
    );
    expect(s.message.text).toBe("no node 'x'");
  });

  it("writes selection, direction and height to the model once each, and takes them from it", () => {
    const { model, session: s } = session();
    s.select(["a"]);
    s.select(["a"]);
    s.turn("TB");
    s.resize(300.4, false);
    expect([model.traits.selected, model.traits.direction, model.traits.height]).toEqual([
      ["a"],
      "TB",
      480,
    ]);
    expect(model.saved).toBe(2);
    s.resize(300.4, true);
    expect(model.traits.height).toBe(300);
    model.set("selected", ["b"]);
    model.set("height", 200);
    expect([s.selected, s.height]).toEqual([["b"], 200]);
    s.resize(1, true);
    expect(model.traits.height).toBe(80);
  });

  it("says that it waits where a turned graph does not come, and forgets an old refusal with a new run", () => {
    const { model, session: s } = session();
    s.turn("TB");
    vi.advanceTimersByTime(2000);
    expect(s.message.kind).toBe("waiting");
    model.set("_graph", graph(SPECS, { version: 2, direction: "TB" }));
    expect(s.message.kind).toBe("none");
    model.fire("msg:custom", { kind: "reply", id: 0, ok: false, text: "no" }, []);
    model.delta(delta(1, [], { version: 2 }));
    expect(s.message.kind).toBe("none");
  });

  it("keeps the last good graph where a new one cannot be read, and says so", () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => {});
    const { model, session: s } = session();
    model.set("_graph", { ...graph(SPECS, { version: 2 }), x: bytes(new Float32Array(5)) });
    expect(s.fault).toBe("the column x has 5 entries, not 2");
    expect(s.store.graph?.version).toBe(1);
    model.set("_graph", graph(SPECS, { version: 3 }));
    expect(s.fault).toBe("");
    quiet.mockRestore();
  });

  it("leaves no listener on the model when it ends", () => {
    const { model } = session();
    expect(model.listeners.length).toBeGreaterThan(0);
    controller.abort();
    expect(model.listeners).toEqual([]);
  });
});

describe("requests", () => {
  it("end with their signal, and with their time limit", async () => {
    const requests = new Requests(() => {});
    const stop = new AbortController();
    const one = requests.request("run", {}, { signal: stop.signal });
    const two = requests.request("stop", {}, { timeout: 1000 });
    const failed = expect(two).rejects.toThrow(NoReply);
    const aborted = expect(one).rejects.toBe("enough");
    stop.abort("enough");
    await aborted;
    expect(requests.open).toBe(1);
    vi.advanceTimersByTime(1000);
    await failed;
    expect(requests.open).toBe(0);
  });

  it("have ids that do not meet those of another browser", () => {
    const ids: string[] = [];
    for (let k = 0; k < 2; k++) {
      void new Requests((c) => ids.push(c.id))
        .request("run", {}, { signal: controller.signal })
        .catch(() => {});
    }
    expect(new Set(ids).size).toBe(2);
  });

  it("fail where sending fails", async () => {
    const requests = new Requests(() => {
      throw new Error("the comm is closed");
    });
    await expect(requests.request("run")).rejects.toThrow("the comm is closed");
    expect(requests.open).toBe(0);
  });
});
