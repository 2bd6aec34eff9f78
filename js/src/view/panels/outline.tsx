import type { Given } from "./panel";

export function Outline(_given: Given) {
  return null;
}
