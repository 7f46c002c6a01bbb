import packageJson from '../../package.json' with { type: 'json' };
import type { Role } from './role.ts';

export interface InjectOptions {
  readonly roles: readonly Role[];
  readonly image: string;
  /** Holds the configuration of every role; by default `NAME-portico` of the workload. */
  readonly configMap: string | undefined;
  /** Of the type kubernetes.io/tls; without one there is no port 443. */
  readonly tlsSecret: string | undefined;
  /** Where the app listens; undefined stands for the default, which the manifest may contradict. */
  readonly appPort: number | undefined;
  /** Name of the app's container, where it is not clear. */
  readonly container: string | undefined;
  /** Folder that the app writes its log files to. */
  readonly logsPath: string;
}

export const defaultAppPort = 8080;

export const defaultInjectOptions: InjectOptions = {
  roles: ['proxy'],
  image: `portico:${packageJson.version}`,
  configMap: undefined,
  tlsSecret: undefined,
  appPort: undefined,
  container: undefined,
  logsPath: '/var/log/app',
};
