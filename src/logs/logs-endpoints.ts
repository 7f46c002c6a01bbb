import { json, text, type AdminEndpoint } from '../admin/index.ts';
import type { DeliveryView } from './delivery/index.ts';
import type { FileView } from './input/file-view.ts';

export interface LogsView {
  files(): readonly FileView[];
  /** Code of the error that checkpoints cannot be written for. */
  checkpointFailing(): string | undefined;
  delivery(): DeliveryView;
}

/** Rows of the admin that only the log sidecar has. */
export function logsEndpoints(view: LogsView): readonly AdminEndpoint[] {
  return [
    {
      path: '/files',
      doc: 'Files that are followed: how large they are, how far they are read, and how far the store has them.',
      mutates: false,
      parameters: { format: { doc: 'text, or json for machines.', values: ['text', 'json'] } },
      render(_, { query }) {
        const format = query.get('format') ?? 'text';
        const failing = view.checkpointFailing();
        if (format === 'json') return json({ files: view.files(), checkpoint_failing: failing ?? null });
        if (format !== 'text') return text('format must be text or json\n', 400);
        const warning = failing === undefined ? '' : `checkpoints cannot be written: ${failing}\n\n`;
        return text(warning + filesTable(view.files()));
      },
    },
    {
      path: '/delivery',
      doc: 'What is on its way to the store, and how the store answers.',
      mutates: false,
      render: () => json(view.delivery()),
    },
  ];
}

/** One line a file, those that are furthest behind first. */
function filesTable(files: readonly FileView[]): string {
  const rows = [...files]
    .sort((one, other) => other.lag - one.lag || (one.path < other.path ? -1 : 1))
    .map((file) => [
      ...[file.input, file.state, file.size, file.offset, file.acknowledged, file.lag, file.records_under_way].map(
        String,
      ),
      file.path,
    ]);
  const all = [['input', 'state', 'size', 'read', 'acknowledged', 'lag', 'under_way', 'path'], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
