import { autoParser } from './auto.ts';
import { combinedLogParser } from './combined-log.ts';
import type { ParserConfig } from './config.ts';
import { criParser } from './cri.ts';
import { jsonParser } from './json.ts';
import { logfmtParser } from './logfmt.ts';
import { noParser } from './none.ts';
import type { Parse } from './parsed.ts';
import { regexParser } from './regex.ts';

/** The parser that a configuration asks for. */
export function compileParser(config: ParserConfig): Parse {
  switch (config.type) {
    case 'auto':
      return autoParser(config);
    case 'json':
      return jsonParser(config);
    case 'logfmt':
      return logfmtParser(config);
    case 'nginx':
    case 'apache':
      return combinedLogParser(config.type, config);
    case 'regex':
      return regexParser(config);
    case 'cri':
      return criParser();
    case 'none':
      return noParser();
  }
}
