/**
 * What workers and primary tell each other of ceilings that are shared. All amounts are relative, so that messages that cross
 * each other do no harm.
 */
export type CeilingNews =
  /** A new user of the ceiling of this key, which gets its share. */
  | { readonly ceiling: number; readonly join: { readonly key: string; readonly most: number; readonly fair: number } }
  /** It has too little. */
  | { readonly ceiling: number; readonly short: true }
  /** So much of its share is free for others; the answer to `give`. */
  | { readonly ceiling: number; readonly gave: number }
  /** It uses nothing any more, and has no share from now on. */
  | { readonly ceiling: number; readonly leave: true };

/** From the primary, to the user with this number. */
export type CeilingOrder =
  /** Its share grows by so much; the answer to `join` and `short`. */
  | { readonly ceiling: number; readonly add: number }
  /** Somebody else needs some. */
  | { readonly ceiling: number; readonly give: true };
