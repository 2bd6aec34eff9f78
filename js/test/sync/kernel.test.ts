import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { kernelText } from "../../src/core/kernel";
import { State } from "../../src/core/types";
import { Session } from "../../src/sync/session";
import { delta, FakeModel, graph, status } from "../fake";
import { FakeKernel, manager } from "../fakekernel";

let controller: AbortController;
beforeEach(() => {
  vi.useFakeTimers();
  controller = new AbortController();
});
afterEach(() => {
  controller.abort();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

function open(given: { kernel?: FakeKernel; traits?: object; widget_manager?: unknown } = {}) {
  const kernel = given.kernel ?? new FakeKernel();
  const host = manager(kernel);
  const model = new FakeModel({
    _graph: graph([{ name: "a", fn: "f" }]),
    _status: status(1),
    ...given.traits,
  });
  Object.assign(model, { widget_manager: "widget_manager" in given ? given.widget_manager : host });
  const session = new Session(model, controller.signal);
  const heard: string[] = [];
  session.subscribe((topic) => topic === "kernel" && heard.push(session.kernel));
  return { kernel, host, model, session, heard };
}

describe("the kernel of a session", () => {
  it("is unknown where the host says nothing, or says strange things", () => {
    const throwing = {
      get kernel(): never {
        throw new Error("disposed");
      },
    };
    for (const widget_manager of [undefined, null, {}, 3, throwing, { kernel: null }]) {
      const { session } = open({ widget_manager });
      expect(session.kernel).toBe("unknown");
      expect(session.store.live).toBe(true);
    }
  });

  it("is busy from the beginning to the end of a cell, whatever is handled in a subshell meanwhile", () => {
    const { kernel, heard } = open();
    kernel.says("busy", "execute_request", "1");
    kernel.says("busy", "comm_msg", "2", "subshell");
    kernel.says("idle", "comm_msg", "2", "subshell");
    expect(heard).toEqual(["busy"]);
    kernel.says("idle", "execute_request", "1");
    kernel.says("busy", "comm_msg", "3");
    kernel.says("idle", "comm_msg", "3");
    expect(heard).toEqual(["busy", "idle"]);
  });

  it("knows a cell that began before the view, until it ends", () => {
    const { kernel, session } = open({ kernel: new FakeKernel("busy") });
    expect(session.kernel).toBe("busy");
    kernel.says("idle", "comm_msg", "2", "subshell");
    expect(session.kernel).toBe("busy");
    kernel.says("idle", "execute_request", "1");
    expect(session.kernel).toBe("idle");
  });

  it("follows the plain status of a host that passes on no messages", () => {
    const kernel = new FakeKernel();
    Object.assign(kernel, { iopubMessage: undefined });
    const { heard } = open({ kernel });
    kernel.statusChanged.emit("busy");
    kernel.statusChanged.emit("idle");
    expect(heard).toEqual(["busy", "idle"]);
  });

  it.each(["restarting", "autorestarting", "starting"])(
    "was restarted after %s, for good",
    (how) => {
      const { kernel, session, heard } = open();
      kernel.says("busy", "execute_request", "1");
      kernel.statusChanged.emit(how);
      kernel.statusChanged.emit("idle");
      kernel.says("busy", "execute_request", "2");
      expect(heard).toEqual(["busy", "restarted"]);
      expect(session.store.live).toBe(false);
    },
  );

  it("counts as restarted from the moment it is told to end", () => {
    const { kernel, model, session } = open();
    kernel.says("busy", "shutdown_request", "1");
    expect(session.kernel).toBe("restarted");
    model.delta(delta(1, [{ i: 0, state: State.failed }]));
    expect([session.store.run.state[0], session.store.live]).toEqual([State.failed, false]);
  });

  it("was restarted where its messages come from another process, whoever asked for that", () => {
    const { kernel, session } = open();
    kernel.says("busy", "execute_request", "1");
    kernel.says("idle", "execute_request", "1");
    kernel.iopubMessage.emit({
      header: { msg_type: "status", session: "the server" },
      content: { execution_state: "idle" },
      parent_header: {},
    });
    expect(session.kernel).toBe("idle");
    kernel.session = "process two";
    kernel.says("busy", "comm_msg", "2");
    expect(session.kernel).toBe("restarted");
  });

  it("is gone when it was ended, and restarted when another one has come", () => {
    const { kernel, host, session } = open();
    kernel.isDisposed = true;
    kernel.disposed.emit(undefined);
    expect(session.kernel).toBe("gone");
    host.change(null);
    expect(session.kernel).toBe("gone");
    host.change(new FakeKernel("idle", "another"));
    expect(session.kernel).toBe("restarted");
  });

  it("is gone while the connection is lost, and asks for what it missed when it is there again", () => {
    const { kernel, model, session } = open();
    kernel.connectionStatus = "connecting";
    kernel.connectionStatusChanged.emit("connecting");
    expect([session.kernel, session.store.live]).toEqual(["gone", false]);
    session.select(["a"]);
    expect([session.selected, model.saved]).toEqual([["a"], 0]);
    kernel.connectionStatus = "connected";
    kernel.connectionStatusChanged.emit("connected");
    expect([session.kernel, model.saved]).toEqual(["idle", 1]);
    expect(model.sent.map((c) => c.name)).toEqual(["resync"]);
    model.reply(model.sent[0]);
    expect(session.store.live).toBe(true);
  });

  it("was restarted where the connection of the model has ended", () => {
    const graphs = { _graph: graph([{ name: "a", fn: "f" }]) };
    const { model, host, session } = open({ traits: graphs });
    const behind = { get: () => graphs._graph, comm_live: true };
    host._modelsSync.set("1", behind);
    model.fire("comm_live_update");
    expect(session.kernel).toBe("idle");
    behind.comm_live = false;
    model.fire("comm_live_update");
    expect(session.kernel).toBe("restarted");
  });

  it("ends what waits for a reply with the way out, sends nothing more, and takes what is typed", async () => {
    const { kernel, model, session } = open();
    const sent = session.command("pause");
    kernel.statusChanged.emit("restarting");
    await sent;
    const why = "the kernel was restarted; run the cell again to go on";
    expect(session.message).toEqual({ kind: "error", text: why });
    await expect(session.ask("run")).rejects.toThrow(why);
    session.select(["a"]);
    session.turn("TB");
    session.find("a", true);
    session.open("outline", true);
    session.resize(300, true);
    vi.advanceTimersByTime(10_000);
    expect(model.sent).toHaveLength(1);
    expect(model.saved).toBe(0);
    expect(session.selected).toEqual(["a"]);
  });

  it("says that a command is kept while a cell blocks, after a second", async () => {
    const { kernel, model, session } = open();
    kernel.says("busy", "execute_request", "1");
    const sent = session.command("pause");
    vi.advanceTimersByTime(999);
    expect(session.message.kind).toBe("none");
    vi.advanceTimersByTime(1);
    expect(session.message.text).toBe("Queued until the kernel is free");
    kernel.says("idle", "execute_request", "1");
    expect(session.message.text).toBe("Waiting for the kernel\u2026");
    model.reply(model.sent[0]);
    await sent;
    expect(session.message.kind).toBe("none");
  });

  it("leaves nothing connected when the session ends", () => {
    const { kernel, host } = open();
    const signals = [kernel.statusChanged, kernel.iopubMessage, kernel.disposed, host.changed];
    expect(signals.every((one) => one.slots.size === 1)).toBe(true);
    controller.abort();
    expect(signals.every((one) => one.slots.size === 0)).toBe(true);
  });

  it("is told in a few words", () => {
    expect(kernelText("idle", true)).toBe("kernel idle \u00b7 live");
    expect(kernelText("restarted", false)).toBe("kernel restarted \u00b7 last known");
    expect([kernelText("unknown", true), kernelText("unknown", false)]).toEqual(["", "last known"]);
  });
});
