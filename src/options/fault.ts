/** A place in a configuration: `['http_filters', 2, 'config', 'max_token']`. */
export type OptionPath = readonly (string | number)[];

/** One thing wrong with a configuration, told with all the others. */
export interface Fault {
  readonly path: OptionPath;
  /** What is wrong and what to write instead: `unknown option; did you mean max_tokens?` */
  readonly message: string;
}

/** `http_filters[2].config.max_token` */
export function showPath(path: OptionPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** The configuration cannot be used. Exit code 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    super(faults.map((fault) => `${showPath(fault.path)}: ${fault.message}`).join('\n'));
    this.faults = faults;
  }
}
