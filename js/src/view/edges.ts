// The canvas of the edges: painted, or what is painted stretched while a gesture goes on and painting takes long.
import { scale, type Viewport } from "../core/viewport";
import { paintLabels } from "./labels";
import type { Look } from "./look";
import { paintEdges } from "./paint";

/** Edges are stretched, not painted, while a gesture goes on and painting them takes longer than this (ms). */
const SLOW = 8;

export class EdgeCanvas {
  #at: Viewport = { zoom: 1, tx: 0, ty: 0 };
  #took = 0;

  constructor(readonly canvas: HTMLCanvasElement) {}

  /**
   * Draws the edges and the names beside boxes.
   *
   * @param moving whether a gesture goes on.
   * @returns "stretched" where the exact picture is to follow, "partly" where names are to follow.
   */
  draw(look: Look, moving: boolean): "whole" | "partly" | "stretched" {
    const { style } = this.canvas;
    if (moving && this.#took > SLOW) {
      const [now, then] = [scale(look.at), scale(this.#at)];
      const [across, down] = [now.x / then.x, now.y / then.y];
      const dx = look.at.tx - this.#at.tx * across;
      const dy = look.at.ty - this.#at.ty * down;
      style.transform = `translate(${dx}px, ${dy}px) scale(${across}, ${down})`;
      return "stretched";
    }
    const start = performance.now();
    style.transform = "";
    paintEdges(look);
    const whole = paintLabels(look);
    this.#at = look.at;
    this.#took = performance.now() - start;
    return whole ? "whole" : "partly";
  }
}
