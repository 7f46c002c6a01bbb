import type { Exchange } from '../http/index.ts';

/** What an operator finds in an exchange; undefined when there is nothing to tell. */
export type Value = string | number | undefined;

/** An operator of a format, compiled. */
export type ReadValue = (exchange: Exchange) => Value;
