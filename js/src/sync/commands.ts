// What the person asks the kernel for, and what is said about it meanwhile.
import { isLost, whyLost } from "../core/kernel";
import type { Kernel, Message } from "../core/session";
import type { CommandName, EditAnswer, Reply } from "../core/types";
import type { Model } from "./model";
import { Requests, TooLarge } from "./requests";

const NOTHING: Message = { kind: "none", text: "" };
const WAITING: Message = { kind: "waiting", text: "Waiting for the kernel\u2026" };
const KEPT: Message = { kind: "waiting", text: "Queued until the kernel is free" };
/** Milliseconds after which the person is told that the kernel has not answered, and where it is known to be busy. */
export const SLOW = 2000;
const SLOW_BUSY = 1000;

export class Commands {
  message: Message = NOTHING;
  readonly waiting = new Map<CommandName, number>();
  #requests: Requests;

  /** @param changed called when `message` or `waiting` is another one. */
  constructor(
    model: Model,
    readonly signal: AbortSignal,
    readonly kernel: () => Kernel,
    readonly changed: () => void,
  ) {
    this.#requests = new Requests((command) => model.send(command, undefined, []));
  }

  async command(name: CommandName, args: Record<string, unknown>): Promise<void> {
    this.waiting.set(name, (this.waiting.get(name) ?? 0) + 1);
    this.#say(NOTHING);
    let said = NOTHING;
    try {
      await this.ask(name, args);
    } catch (error) {
      if (this.signal.aborted) return;
      said = { kind: "error", text: error instanceof Error ? error.message : String(error) };
    }
    const left = (this.waiting.get(name) ?? 1) - 1;
    if (left > 0) this.waiting.set(name, left);
    else this.waiting.delete(name);
    this.#say(said);
  }

  async ask(
    name: CommandName,
    args: Record<string, unknown>,
    signal: AbortSignal = this.signal,
  ): Promise<Reply> {
    let reply: Reply;
    if (isLost(this.kernel())) throw new Error(whyLost(this.kernel()));
    try {
      reply = await this.#requests.request(name, args, {
        signal,
        slowAfter: this.kernel() === "busy" ? SLOW_BUSY : SLOW,
        onSlow: () => this.wait(),
      });
    } catch (error) {
      if (isLost(this.kernel())) throw new Error(whyLost(this.kernel()));
      if (error instanceof TooLarge) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(
        `${why}: the kernel may be busy, gone or restarted; run the cell again to go on`,
      );
    }
    this.answered();
    if (!reply.ok) throw new Error(reply.text || `the kernel refused \u201c${name}\u201d`);
    return reply;
  }

  async edit(name: "edit" | "undo" | "redo", args: Record<string, unknown>): Promise<EditAnswer> {
    const reply = await this.ask(name, args);
    return (reply.data as EditAnswer | undefined) ?? { ...reply, errors: {} };
  }

  /** True where the reply belongs to a command of this browser. */
  receive(reply: Reply): boolean {
    return this.#requests.receive(reply);
  }

  /** Something is late. */
  wait(): void {
    if (!isLost(this.kernel())) this.#say(this.kernel() === "busy" ? KEPT : WAITING);
  }

  /** What was waited for has come; commands say so themselves. */
  answered(): void {
    if (this.message.kind === "waiting" && this.waiting.size === 0) this.#say(NOTHING);
  }

  refuse(text: string): void {
    this.#say({ kind: "error", text });
  }

  /** What was said is of no interest any more. */
  forget(kind?: Message["kind"]): void {
    if (!kind || this.message.kind === kind) this.#say(NOTHING);
  }

  /** The kernel is in another state: what waits is told anew, or ends where no answer can come. */
  kernelChanged(): void {
    const why = whyLost(this.kernel());
    if (why) {
      this.forget("waiting");
      this.#requests.failAll(new Error(why));
    } else if (this.message.kind === "waiting") this.wait();
  }

  #say(message: Message): void {
    this.message = message;
    this.changed();
  }
}
