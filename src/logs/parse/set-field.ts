/** Adds a field of any name; `__proto__` becomes a field as well, instead of changing what the object is. */
export function setField(fields: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(fields, name, { value, enumerable: true, configurable: true, writable: true });
  } else {
    fields[name] = value;
  }
}

/**
 * Adds a field without losing one: what stood under the name moves to the name with `prefix` before it, as often as that
 * is taken, too.
 */
export function setAside(fields: Record<string, unknown>, name: string, value: unknown, prefix: string): void {
  if (Object.hasOwn(fields, name)) setAside(fields, prefix + name, fields[name], prefix);
  setField(fields, name, value);
}
