// What jsdom lacks, as fakes that count: canvases, observers, media queries, animation frames.
import { afterEach, beforeEach, vi } from "vitest";

export interface Counts {
  listeners: number;
  observers: number;
  frames: number;
  timers: number;
}

type Any = Record<string, unknown>;

/** Every call of a drawing method and every text, in order. */
export const drawn: { texts: string[]; calls: Record<string, number> } = { texts: [], calls: {} };

function context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const own: Any = { canvas };
  return new Proxy(own, {
    get(target, key: string) {
      if (key in target) return target[key];
      return (...args: unknown[]) => {
        drawn.calls[key] = (drawn.calls[key] ?? 0) + 1;
        if (key === "fillText") drawn.texts.push(String(args[0]));
        if (key === "measureText") return { width: String(args[0]).length * 7 };
        return undefined;
      };
    },
    set(target, key: string, value) {
      target[key] = value;
      return true;
    },
  }) as unknown as CanvasRenderingContext2D;
}

/** Puts the fakes in place; `open` counts what is still there, `frame` runs the frames that were asked for. */
export function browser() {
  // jsdom puts listeners of its own on the window when it first looks for something: not ours to count.
  document.body.querySelector("[data-nothing]");
  const frames = new Map<number, FrameRequestCallback>();
  const observers = new Set<object>();
  const resizes = new Set<() => void>();
  let next = 1;
  let listening = 0;
  let size = { width: 800, height: 400 };

  vi.stubGlobal("requestAnimationFrame", (callback: FrameRequestCallback) => {
    frames.set(next, callback);
    return next++;
  });
  vi.stubGlobal("cancelAnimationFrame", (id: number) => frames.delete(id));
  class Observer {
    changed: (() => void) | undefined;
    constructor(callback: (entries: unknown[]) => void) {
      this.changed = () => callback([{ isIntersecting: true }]);
    }
    observe(): void {
      observers.add(this);
    }
    disconnect(): void {
      observers.delete(this);
    }
  }
  class Resizes extends Observer {
    override observe(): void {
      super.observe();
      resizes.add(this.changed as () => void);
    }
    override disconnect(): void {
      super.disconnect();
      resizes.delete(this.changed as () => void);
    }
  }
  vi.stubGlobal("ResizeObserver", Resizes);
  vi.stubGlobal("IntersectionObserver", Observer);
  vi.stubGlobal("MutationObserver", Observer);
  vi.stubGlobal("Path2D", class {});
  vi.stubGlobal("ImageData", class {});
  vi.stubGlobal("devicePixelRatio", 2);

  const add = EventTarget.prototype.addEventListener;
  const remove = EventTarget.prototype.removeEventListener;
  const known = new WeakMap<EventTarget, Map<string, Set<unknown>>>();
  const forget = (target: EventTarget, type: string, listener: unknown): void => {
    if (known.get(target)?.get(type)?.delete(listener)) listening--;
  };
  EventTarget.prototype.addEventListener = function (type, listener, options) {
    const signal = typeof options === "object" ? options?.signal : undefined;
    if (!(this instanceof AbortSignal) && !signal?.aborted) {
      const types = known.get(this) ?? new Map<string, Set<unknown>>();
      known.set(this, types);
      const set = types.get(type) ?? new Set();
      types.set(type, set);
      if (!set.has(listener)) listening++;
      set.add(listener);
      signal?.addEventListener("abort", () => forget(this, type, listener));
    }
    return add.call(this, type, listener, options);
  };
  EventTarget.prototype.removeEventListener = function (type, listener, options) {
    forget(this, type, listener);
    return remove.call(this, type, listener, options);
  };
  vi.stubGlobal("matchMedia", (media: string) => {
    const target = new EventTarget();
    return Object.assign(target, { matches: false, media });
  });
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation(function (
    this: HTMLCanvasElement,
  ) {
    return context(this) as never;
  });
  for (const [side, get] of [
    ["clientWidth", () => size.width],
    ["clientHeight", () => size.height],
  ] as const) {
    Object.defineProperty(HTMLElement.prototype, side, { configurable: true, get });
  }
  drawn.texts = [];
  drawn.calls = {};

  return {
    open: (): Counts => ({
      listeners: listening,
      observers: observers.size,
      frames: frames.size,
      timers: vi.getTimerCount(),
    }),
    resize(width: number, height: number): void {
      size = { width, height };
      for (const changed of [...resizes]) changed();
    },
    frame(time = performance.now()): void {
      const due = [...frames.values()];
      frames.clear();
      for (const callback of due) callback(time);
    },
    restore(): void {
      EventTarget.prototype.addEventListener = add;
      EventTarget.prototype.removeEventListener = remove;
      vi.unstubAllGlobals();
      vi.restoreAllMocks();
    },
  };
}

const TIMERS = ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] as const;

/** These fakes and fake timers anew for each test of a file, and an empty page after it. */
export function freshBrowser(...more: "performance"[]) {
  let now: ReturnType<typeof browser>;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: [...TIMERS, ...more] });
    now = browser();
  });
  afterEach(() => {
    now.restore();
    vi.useRealTimers();
    document.body.replaceChildren();
  });
  return {
    open: () => now.open(),
    resize: (width: number, height: number) => now.resize(width, height),
    frame: (time?: number) => now.frame(time),
  };
}
