import { resolve } from 'node:path';
import type { ReloadReport } from '../admin/lifecycle.ts';
import { ConfigError, showAddress } from '../options/index.ts';
import { adminAddress, adminOption, askAdmin, defaultAdmin } from './ask-admin.ts';
import { complain, say, type Command } from './command.ts';

/** Milliseconds: a reload may have to wait for name servers and key sets. */
const patience = 60_000;

export const reload: Command = {
  name: 'reload',
  doc: 'Tells a running portico to read its configuration again, or with --dry-run only to say what that would change.',
  options: {
    'dry-run': { type: 'boolean', doc: 'Changes nothing.' },
    config: {
      type: 'string',
      short: 'c',
      value: 'FILE',
      doc: 'The configuration that the running portico was started with; it says where its admin interface is.',
    },
    admin: {
      ...adminOption,
      doc: `Where the admin interface listens. Default: as the configuration says, else ${defaultAdmin}.`,
    },
  },
  async run({ config: file, admin, 'dry-run': dryRun }) {
    const named = typeof admin === 'string' ? admin : typeof file === 'string' ? await adminOf(file) : defaultAdmin;
    const address = named === undefined ? undefined : adminAddress(named);
    if (address === undefined) {
      complain(`portico reload: where is the admin interface? Write --admin ADDRESS, such as ${defaultAdmin}`);
      return 2;
    }
    const path = dryRun === true ? '/reload?dry_run=1' : '/reload';
    const { status, body } = await askAdmin(address, 'POST', path, patience);
    if (status !== 200 && status !== 422) throw new Error(`${showAddress(address)} answered ${status}: ${body.trim()}`);
    const report = JSON.parse(body) as ReloadReport;
    if (typeof file === 'string' && resolve(file) !== resolve(report.config_file))
      complain(`portico reload: ${showAddress(address)} runs with ${report.config_file}, not with ${file}`);
    for (const line of reportLines(report)) say(line);
    report.faults.forEach(complain);
    return report.result === 'refused' ? 2 : 0;
  },
};

/** Where a configuration puts the admin; undefined when it does not say so itself, being faulty. */
async function adminOf(file: string): Promise<string | undefined> {
  const { loadConfig } = await import('../config/index.ts');
  try {
    return showAddress((await loadConfig(file)).config.admin.address);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    complain(error.message);
    return undefined;
  }
}

const results: Record<ReloadReport['result'], string> = {
  applied: 'applied',
  good: 'good; nothing was changed',
  refused: 'refused; the running configuration stays',
};

function reportLines({ result, config_file, changes, notes }: ReloadReport): string[] {
  const lines = [`${config_file}: ${results[result]}`];
  if (changes === undefined) return lines;
  const listeners = [
    ...changes.listeners_opened.map((name) => `opens ${name}`),
    ...changes.listeners_replaced.map((name) => `replaces ${name}`),
    ...changes.listeners_closed.map((name) => `closes ${name}`),
  ];
  lines.push(
    `listeners: ${listeners.join(', ') || 'as they are'}`,
    `clusters: ${changes.clusters.kept} kept, ${changes.clusters.made} new`,
    `filters: ${changes.filters.kept} kept, ${changes.filters.made} new`,
  );
  lines.push(...notes.map((note) => `note: ${note}`));
  lines.push(
    changes.route_differences.length === 0
      ? `routes: the last ${changes.sampled_requests} requests go as before`
      : `routes: of the last ${changes.sampled_requests} requests some go another way:`,
  );
  for (const { requests, examples, before, after, changed } of changes.route_differences) {
    lines.push(`  ${requests} such as ${examples.join(', ')}`, `    before: ${before}`, `    after:  ${after}`);
    if (changed.length > 0) lines.push(`    changed: ${changed.join(', ')}`);
  }
  if (changes.not_sampled.length > 0)
    lines.push(`  samples do not know what new routes look at: ${changes.not_sampled.join(', ')}`);
  return lines;
}
