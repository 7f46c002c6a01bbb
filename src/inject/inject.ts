import { editPod } from './edit-pod.ts';
import { editServices } from './edit-services.ts';
import { InjectError } from './inject-error.ts';
import { ManifestSheet } from './manifest-sheet.ts';
import { removeMarked } from './marked-lines.ts';
import type { InjectOptions } from './options.ts';
import { isJson, objectsOf, workloadKinds, workloadOf } from './workload.ts';

export interface Injected {
  readonly text: string;
  /** For a person: what was added to what, and what is left to do. */
  readonly notes: readonly string[];
}

/** Far more than a manifest needs; the API server takes 3 MiB at once. */
const largest = 16 * 1024 * 1024;

/**
 * Adds sidecars to the pods of a manifest. What an earlier run added is taken out first, so that running it again changes nothing,
 * and running it with other options gives what these options give on the original.
 * @throws InjectError with every fault
 */
export function inject(text: string, options: InjectOptions): Injected {
  const sheet = new ManifestSheet(removeInjection(text));
  const objects = objectsOf(sheet);
  const notes: string[] = [];
  const pods = new Set<unknown>();
  for (const object of objects) {
    const workload = workloadOf(sheet, object);
    if (workload === undefined) continue;
    if (isJson(object)) {
      sheet.fault(
        object.node,
        'is JSON, or YAML in braces: comments could not mark what was added; write it as block YAML',
      );
      continue;
    }
    if (pods.has(workload.pod.node)) {
      sheet.fault(
        object.node,
        `${workload.kind} ${workload.name} shares its pod with another by an alias; write it out`,
      );
      continue;
    }
    pods.add(workload.pod.node);
    const edited = editPod(sheet, workload, options);
    if (edited === undefined) continue;
    const title = `${workload.kind} ${workload.name}`;
    notes.push(`${title}: added ${edited.containers.join(', ')}`);
    if (!options.roles.includes('proxy') || workload.endsByItself) continue;
    const tls = options.tlsSecret !== undefined;
    const { selecting, secure } = editServices(sheet, objects, workload, edited, tls);
    if (selecting === 0) {
      const ports = tls ? 'targetPort: 80, and 443 for TLS' : 'targetPort: 80';
      notes.push(`${title}: no Service here selects its pods; one elsewhere should have ${ports}`);
    } else if (tls && !secure) {
      notes.push(`${title}: no Service leads to its TLS port; add { name: https, port: 443, targetPort: 443 } to one`);
    }
  }
  sheet.check();
  if (pods.size === 0) {
    const message = `holds nothing that makes pods; known are ${workloadKinds.join(', ')}, and lists of them`;
    throw new InjectError([{ line: 1, column: 1, message }]);
  }
  return { text: sheet.apply(), notes };
}

/**
 * The manifest as it was before, byte for byte. One without an injection is left as it is.
 * @throws InjectError when marks are missing
 */
export function removeInjection(text: string): string {
  if (text.length > largest) {
    throw new InjectError([{ line: 1, column: 1, message: 'is larger than 16 MiB, which no manifest is' }]);
  }
  return removeMarked(text);
}
