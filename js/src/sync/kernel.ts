// The kernel behind a model, as far as the host tells. In JupyterLab `model.widget_manager.kernel` is its connection;
// other hosts may have none of this, so nothing is taken for granted.
import type { Kernel } from "../core/session";
import type { Model } from "./model";

type Slot = (sender: unknown, value: unknown) => void;
interface HostSignal {
  connect(slot: Slot): unknown;
  disconnect(slot: Slot): unknown;
}

/** Statuses after which the kernel does not know the model any more. */
const ANEW = ["restarting", "autorestarting", "starting"];
const ENDED = ["dead", "terminating"];

/** A property of whatever it is; undefined where there is none or it cannot be read. */
function read(of: unknown, ...path: string[]): unknown {
  let value = of;
  for (const name of path) {
    try {
      value = (value as Record<string, unknown> | null | undefined)?.[name];
    } catch {
      return undefined; // a disposed connection throws when asked
    }
  }
  return value;
}

/**
 * Follows the kernel of one model.
 *
 * JupyterLab's own status says "idle" in the middle of a cell as soon as a message was handled in a subshell. So the
 * cells are followed: the kernel is busy from the beginning to the end of a request to execute something.
 */
export class KernelWatch {
  state: Kernel = "unknown";
  #kernel: unknown;
  #ends: (() => void)[] = [];
  /** Requests that are being executed; "" for one that began before this was looked at. */
  #executing = new Set<string>();
  /** That of the kernel's process. */
  #session: unknown;
  #anew = false;
  #ended = false;

  /** @param changed called when `state` is another one. */
  constructor(
    readonly model: Model,
    readonly changed: () => void,
    signal: AbortSignal,
  ) {
    const manager = model.widget_manager;
    const changes = read(manager, "context", "sessionContext", "kernelChanged");
    const end = connect(changes, () => {
      const next = read(manager, "kernel");
      if (read(next, "id") !== read(this.#kernel, "id")) {
        if (next) this.#anew = true;
        else this.#ended = true;
      }
      this.#follow(next);
    });
    const lost = (): void => {
      if (!this.#alive()) this.#anew = true;
      this.#update();
    };
    for (const event of ["comm:close", "comm_live_update"]) model.on(event, lost);
    signal.addEventListener("abort", () => {
      end();
      this.#leave();
      for (const event of ["comm:close", "comm_live_update"]) model.off(event, lost);
    });
    this.#anew = !this.#alive();
    this.#follow(read(manager, "kernel"));
  }

  #follow(kernel: unknown): void {
    this.#leave();
    this.#kernel = kernel ?? this.#kernel;
    this.#executing.clear();
    if (kernel) {
      this.#ended = false;
      if (read(kernel, "status") === "busy") this.#executing.add("");
      const exact = read(kernel, "iopubMessage");
      this.#ends = [
        connect(exact, (_, message) => this.#message(message)),
        connect(read(kernel, "statusChanged"), (_, status) => this.#status(String(status), exact)),
        connect(read(kernel, "connectionStatusChanged"), () => {
          this.#executing.clear();
          this.#update();
        }),
        connect(read(kernel, "disposed"), () => this.#update()),
      ];
    }
    this.#update();
  }

  #leave(): void {
    for (const end of this.#ends) end();
    this.#ends = [];
  }

  #status(status: string, exact: unknown): void {
    if (ANEW.includes(status)) {
      this.#anew = true;
      this.#executing.clear();
    } else if (!exact) {
      if (status === "busy") this.#executing.add("");
      else this.#executing.delete("");
    }
    this.#update();
  }

  #message(message: unknown): void {
    if (read(message, "header", "msg_type") !== "status") return;
    // What has no parent comes from the server. A kernel has a session of its own for each of its processes: another one
    // tells of a restart that nobody announced, as when a second client asked for it.
    const session = read(message, "header", "session");
    if (session && read(message, "parent_header", "msg_type")) {
      if (this.#session && session !== this.#session) this.#anew = true;
      this.#session = session;
    }
    const begins = read(message, "content", "execution_state") === "busy";
    if (read(message, "parent_header", "msg_type") === "shutdown_request") this.#anew = true;
    const id = String(read(message, "parent_header", "msg_id") ?? "");
    const subshell = read(message, "parent_header", "subshell_id");
    if (read(message, "parent_header", "msg_type") !== "execute_request") {
      if (!begins && !subshell) this.#executing.delete("");
    } else if (begins) this.#executing.add(id);
    else {
      this.#executing.delete(id);
      this.#executing.delete("");
    }
    this.#update();
  }

  /** Whether the model has its connection to the kernel; true where the host does not say. */
  #alive(): boolean {
    const models = read(this.model.widget_manager, "_modelsSync");
    if (!(models instanceof Map)) return true;
    const graph = this.model.get("_graph");
    for (const one of models.values()) {
      try {
        if (graph && one.get("_graph") === graph) return one.comm_live !== false;
      } catch {
        // not a model of ours
      }
    }
    return true;
  }

  #now(): Kernel {
    const kernel = this.#kernel;
    if (!kernel) return this.#anew ? "restarted" : "unknown";
    const status = String(read(kernel, "status") ?? "");
    const connection = read(kernel, "connectionStatus") ?? "connected";
    if (this.#ended || read(kernel, "isDisposed") === true || ENDED.includes(status)) return "gone";
    if (this.#anew) return "restarted";
    if (connection !== "connected") return "gone";
    return this.#executing.size ? "busy" : "idle";
  }

  #update(): void {
    const now = this.#now();
    if (now === this.state) return;
    this.state = now;
    this.changed();
  }
}

/** Connects to a signal of the host, if it is one; returns what ends that. */
function connect(signal: unknown, slot: Slot): () => void {
  const given = signal as Partial<HostSignal> | null | undefined;
  if (typeof given?.connect !== "function") return () => {};
  given.connect(slot);
  return () => given.disconnect?.(slot);
}
