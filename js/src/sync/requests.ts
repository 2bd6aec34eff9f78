// Commands to the kernel and their replies: an id each, a time limit, an AbortSignal.
import type { Command, CommandName, Reply } from "../core/types";

export interface Options {
  signal?: AbortSignal;
  /** Called once where no reply came within `slowAfter` milliseconds; the request goes on. */
  onSlow?: () => void;
  slowAfter?: number;
  /** Milliseconds until the request is given up. */
  timeout?: number;
}

export class NoReply extends Error {}

interface Open {
  settle(reply: Reply): void;
  fail(error: unknown): void;
}

export class Requests {
  #open = new Map<string, Open>();
  #next = 1;
  // Two browsers may show one model and both hear every reply: ids must not meet.
  readonly #mine = Math.random().toString(36).slice(2, 8);

  constructor(readonly send: (command: Command) => void) {}

  get open(): number {
    return this.#open.size;
  }

  request(
    name: CommandName,
    args: Record<string, unknown> = {},
    options: Options = {},
  ): Promise<Reply> {
    const { signal, onSlow, slowAfter = 2000, timeout = 300_000 } = options;
    const id = `${this.#mine}-${this.#next++}`;
    return new Promise<Reply>((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const slow = setTimeout(() => onSlow?.(), slowAfter);
      const limit = setTimeout(() => {
        this.#open
          .get(id)
          ?.fail(
            new NoReply(`no reply to \u201c${name}\u201d within ${Math.round(timeout / 1000)} s`),
          );
      }, timeout);
      const leave = (): boolean => {
        clearTimeout(slow);
        clearTimeout(limit);
        signal?.removeEventListener("abort", aborted);
        return this.#open.delete(id);
      };
      const aborted = (): void => {
        if (leave()) reject(signal?.reason);
      };
      this.#open.set(id, {
        settle: (reply) => leave() && resolve(reply),
        fail: (error) => leave() && reject(error),
      });
      signal?.addEventListener("abort", aborted);
      try {
        this.send({ kind: "command", id, name, args });
      } catch (error) {
        if (leave()) reject(error);
      }
    });
  }

  /** No reply will come any more. */
  failAll(error: unknown): void {
    for (const open of [...this.#open.values()]) open.fail(error);
  }

  /** True where the reply belongs to a request of this browser. */
  receive(reply: Reply): boolean {
    const open = this.#open.get(reply.id);
    open?.settle(reply);
    return open !== undefined;
  }
}
