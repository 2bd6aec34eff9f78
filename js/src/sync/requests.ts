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
export class TooLarge extends Error {}

/** Characters of a command beyond which it is not sent: Jupyter's server ends a connection at 10 MB in one message. */
const MOST = 2_000_000;

function checked(args: Record<string, unknown>): Record<string, unknown> {
  const { length } = JSON.stringify(args);
  if (length <= MOST) return args;
  const size = (length / 1e6).toFixed(1);
  throw new TooLarge(
    `${size} MB are too much to send, ${MOST / 1e6} MB at most; do this in Python`,
  );
}

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
        this.send({ kind: "command", id, name, args: checked(args) });
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
