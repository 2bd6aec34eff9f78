// The kernel connection and the widget manager of JupyterLab, as far as the widget looks at them.
type Slot = (sender: unknown, value: unknown) => void;

export class FakeSignal {
  slots = new Set<Slot>();
  connect(slot: Slot): void {
    this.slots.add(slot);
  }
  disconnect(slot: Slot): void {
    this.slots.delete(slot);
  }
  emit(value: unknown): void {
    for (const slot of [...this.slots]) slot(this, value);
  }
}

export class FakeKernel {
  connectionStatus = "connected";
  isDisposed = false;
  readonly statusChanged = new FakeSignal();
  readonly connectionStatusChanged = new FakeSignal();
  readonly disposed = new FakeSignal();
  readonly iopubMessage = new FakeSignal();

  constructor(
    public status = "idle",
    readonly id = "one",
  ) {}

  session: string | undefined = "process one";

  /** A status message of the kernel, about one request. */
  says(state: "busy" | "idle", type: string, id: string, subshell: string | null = null): void {
    this.iopubMessage.emit({
      header: { msg_type: "status", session: this.session },
      content: { execution_state: state },
      parent_header: { msg_type: type, msg_id: id, subshell_id: subshell },
    });
  }
}

export function manager(kernel: FakeKernel) {
  const changed = new FakeSignal();
  return {
    kernel: kernel as FakeKernel | null,
    context: { sessionContext: { kernelChanged: changed } },
    _modelsSync: new Map<string, unknown>(),
    changed,
    change(next: FakeKernel | null): void {
      this.kernel = next;
      changed.emit({ newValue: next });
    },
  };
}
