import type { PodSnapshot } from '../pod/index.ts';

/** What of the pod can be a label: a fact, or one of its labels or annotations by key. */
export const podFacts = ['name', 'namespace', 'uid', 'ip', 'node', 'container'] as const;
export type PodFact = (typeof podFacts)[number];

/** `name`, `labels.app.kubernetes.io/name`, `annotations.team`. */
export function isPodValue(text: string): boolean {
  return (podFacts as readonly string[]).includes(text) || /^(?:labels|annotations)\.[\w./-]+$/.test(text);
}

/** The labels that a pod gives to its series; what it does not have is left out. */
export function podLabels(wanted: Readonly<Record<string, string>>, pod: PodSnapshot): Map<string, string> {
  const labels = new Map<string, string>();
  for (const [label, value] of Object.entries(wanted)) {
    const known = valueOf(value, pod);
    if (known !== undefined && known !== '') labels.set(label, known);
  }
  return labels;
}

function valueOf(value: string, pod: PodSnapshot): string | undefined {
  if (value.startsWith('labels.')) return pod.labels.get(value.slice('labels.'.length));
  if (value.startsWith('annotations.')) return pod.annotations.get(value.slice('annotations.'.length));
  return pod[value as PodFact];
}
