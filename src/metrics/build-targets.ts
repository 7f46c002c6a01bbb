import { admitWith } from './admit.ts';
import type { MetricsConfig, TargetConfig } from './config.ts';
import { compileRelabel } from './relabel/relabel.ts';
import { Target, type TargetOptions } from './scrape/target.ts';
import type { Admit } from './series-table.ts';

/** Longest line of an exposition, in bytes. */
const maxLineLength = 64 * 1024;

export function buildTargets({ targets }: MetricsConfig): Target[] {
  return targets.map((target) => new Target(targetOptions(target), admitFor(target)));
}

/** What becomes of a target's series, for labels that all have: those of the target win over them. */
function admitFor(target: TargetConfig): (labels: ReadonlyMap<string, string>) => Admit {
  const { limits, metric_relabel_configs: rules, label_clash: clash } = target;
  const relabel = rules.length === 0 ? undefined : compileRelabel(rules);
  return (labels) =>
    admitWith({
      added: new Map([...labels, ...target.labels]),
      clash,
      relabel,
      limits: {
        labels: limits.label_limit,
        labelNameLength: limits.label_name_length_limit,
        labelValueLength: limits.label_value_length_limit,
      },
    });
}

function targetOptions(target: TargetConfig): TargetOptions {
  const { ca, server_name, insecure_skip_verify } = target.tls;
  return {
    name: target.name,
    url: target.url,
    timeout: target.timeout,
    prefer: target.format,
    headers: { ...target.headers, ...authorization(target) },
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(server_name === undefined ? {} : { servername: server_name }),
      rejectUnauthorized: !insecure_skip_verify,
    },
    invalidLines: target.invalid_lines,
    maxLineLength,
    maxSamples: target.limits.sample_limit,
    maxBody: target.limits.body_size_limit,
  };
}

function authorization({ basic_auth: basic, bearer_token: token }: TargetConfig): Record<string, string> {
  if (token !== undefined) return { authorization: `Bearer ${token}` };
  if (basic === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}` };
}
