import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';

/** Kubernetes objects, as far as tests look into them. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
}

export interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string | number };
  readonly periodSeconds: number;
  readonly timeoutSeconds?: number;
  readonly failureThreshold?: number;
}

export interface SecurityContext {
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly fsGroup?: number;
  readonly readOnlyRootFilesystem?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly capabilities?: { readonly drop?: string[]; readonly add?: string[] };
  readonly seccompProfile?: { readonly type: string };
  readonly sysctls?: { readonly name: string; readonly value: string }[];
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: string[];
  readonly args?: string[];
  readonly env?: {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
  }[];
  readonly restartPolicy?: string;
  readonly ports?: { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } };
  readonly resources?: { readonly requests?: Record<string, string>; readonly limits?: Record<string, string> };
  readonly securityContext?: SecurityContext;
  readonly volumeMounts?: { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

export interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string; readonly defaultMode?: number };
  readonly emptyDir?: { readonly sizeLimit?: string };
  readonly downwardAPI?: {
    readonly items: { readonly path: string; readonly fieldRef: { readonly fieldPath: string } }[];
  };
}

export interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext: SecurityContext;
  readonly initContainers: Container[];
  readonly containers: Container[];
  readonly volumes: Volume[];
}

export interface DeploymentSpec {
  readonly replicas: number;
  readonly selector: { readonly matchLabels: Record<string, string> };
  readonly template: {
    readonly metadata: { readonly labels: Record<string, string>; readonly annotations?: Record<string, string> };
    readonly spec: PodSpec;
  };
}

/** The documents of a text. @throws Error when it is not YAML */
export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text, { uniqueKeys: true, version: '1.1' }).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    return document.toJS() as Manifest;
  });
}

export function readManifests(file: string | URL): Manifest[] {
  return parseManifests(readFileSync(file, 'utf8'));
}

/** The only one of a kind. */
export function the(kind: string, all: readonly Manifest[]): Manifest {
  const found = all.filter((manifest) => manifest.kind === kind);
  if (found.length !== 1) throw new Error(`${found.length} of the kind ${kind}`);
  return found[0]!;
}

export function deploymentIn(all: readonly Manifest[]): DeploymentSpec {
  return the('Deployment', all).spec as unknown as DeploymentSpec;
}

/** Number of a port that a container names, or names by its number. */
export function portOf({ ports = [] }: Container, port: string | number): number {
  return typeof port === 'number' ? port : ports.find(({ name }) => name === port)!.containerPort;
}
