// What a click does to the selection. Pure.

/** The selection after a click on `name` (null: on nothing); `add` is a click with Ctrl, Cmd or Shift. */
export function clicked(selected: readonly string[], name: string | null, add: boolean): string[] {
  if (name === null) return add ? [...selected] : [];
  if (!add) return [name];
  return selected.includes(name) ? selected.filter((other) => other !== name) : [...selected, name];
}

export function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}
