import { defineFilter, type Exchange } from 'portico';
import { compileLine } from './access-log/compile-line.ts';
import { accessLogSchema } from './access-log/config.ts';
import { compileConditions } from './access-log/keep.ts';
import { useSink } from './access-log/line-sink.ts';

export default defineFilter({
  doc: 'Writes a line for every finished request, as JSON or text, to standard output or a file.',
  config: accessLogSchema,
  stats: {
    lines: 'Lines given to the log.',
    dropped: 'Lines lost because the log could not be written: its reader is too slow or gone, or the disk is full.',
  },
  create({ format, path, filter, redact_query }, context) {
    const { stats } = context;
    const write = compileLine(format, redact_query);
    const keeps = compileConditions(filter, Math.random);
    const alternatives = filter.any.map((conditions) => compileConditions(conditions, Math.random));
    const wanted = (exchange: Exchange) =>
      keeps(exchange) && (alternatives.length === 0 || alternatives.some((alternative) => alternative(exchange)));
    const sink = useSink(path, (relative) => context.resolvePath(relative), context.log);
    const writer = { dropped: (lines: number) => stats.dropped.add(lines) };
    return {
      onLog(exchange) {
        if (!wanted(exchange)) return;
        stats.lines.add();
        sink.write(write(exchange), writer);
      },
      close: () => sink.release(),
    };
  },
});
