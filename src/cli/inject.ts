import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { replaceFile } from '../files/replace-file.ts';
import { defaultInjectOptions, type InjectOptions } from '../inject/options.ts';
import { allRoles, type Role } from '../inject/role.ts';
import { complain, type Command, type CommandArguments } from './command.ts';

const preset = defaultInjectOptions;

export const inject: Command = {
  name: 'inject',
  doc: 'Adds sidecars to the pods of a Kubernetes manifest, which stays as it is otherwise; --remove takes them out again.',
  options: {
    filename: { type: 'string', short: 'f', value: 'FILE', doc: 'The manifest; - for standard input.' },
    output: {
      type: 'string',
      short: 'o',
      value: 'FILE',
      default: '-',
      doc: 'Where the result goes; may be the same file.',
    },
    remove: { type: 'boolean', doc: 'Gives back the manifest as it was, byte for byte.' },
    proxy: { type: 'boolean', doc: 'Adds the proxy; what is added when nothing is chosen.' },
    logs: { type: 'boolean', doc: 'Adds the logging sidecar.' },
    metrics: { type: 'boolean', doc: 'Adds the monitoring sidecar.' },
    image: { type: 'string', value: 'IMAGE', default: preset.image, doc: 'The image of every sidecar.' },
    'config-map': {
      type: 'string',
      value: 'NAME',
      doc: 'Has portico.yaml, logs.yaml and metrics.yaml, as far as they are needed. Default: NAME-portico of the workload.',
    },
    'tls-secret': {
      type: 'string',
      value: 'NAME',
      doc: 'A Secret with tls.crt and tls.key, mounted at /etc/portico-tls; opens port 443.',
    },
    'app-port': { type: 'string', value: 'PORT', doc: 'Where the app listens. Default: 8080.' },
    container: { type: 'string', value: 'NAME', doc: 'The container of the app, where it is not clear.' },
    'logs-path': {
      type: 'string',
      value: 'DIR',
      default: preset.logsPath,
      doc: 'The folder that the app writes its log files to.',
    },
  },
  async run(args) {
    const options = readInjectOptions(args);
    const file = args['filename'];
    if (typeof options === 'string' || typeof file !== 'string') {
      complain(`portico inject: ${typeof options === 'string' ? options : 'which manifest? Write -f FILE'}`);
      return 2;
    }
    const text = await readUtf8(file);
    const { inject: injectInto, removeInjection, InjectError } = await import('../inject/index.ts');
    try {
      const { text: result, notes } =
        args['remove'] === true ? { text: removeInjection(text), notes: [] } : injectInto(text, options);
      if (args['output'] === '-') process.stdout.write(result);
      else await replaceFile(args['output'] as string, result);
      notes.forEach(complain);
      return 0;
    } catch (error) {
      if (!(error instanceof InjectError)) throw error;
      for (const { line, column, message } of error.faults) complain(`${file}:${line}:${column} ${message}`);
      return 2;
    }
  },
};

/** What is asked for, or what is wrong with it. */
export function readInjectOptions(args: CommandArguments): InjectOptions | string {
  const chosen = allRoles.filter((role) => args[role] === true);
  const appPort = args['app-port'] === undefined ? undefined : Number(args['app-port']);
  const logsPath = String(args['logs-path']);
  if (appPort !== undefined && !(Number.isInteger(appPort) && appPort > 0 && appPort < 65_536)) {
    return `--app-port must be a port such as 8080, not ${String(args['app-port'])}`;
  }
  // Below the root, and without a place outside of the container in it.
  if (!/^(?:\/[\w.-]+)+$/.test(logsPath) || logsPath.split('/').includes('..')) {
    return `--logs-path must be a folder such as ${preset.logsPath}, not ${logsPath}`;
  }
  for (const name of ['config-map', 'tls-secret', 'container']) {
    const value = args[name] as string | undefined;
    // RFC 1123, which is what Kubernetes takes for names.
    if (value !== undefined && !/^[a-z\d](?:[a-z\d.-]{0,251}[a-z\d])?$/.test(value)) {
      return `--${name} must be a name that Kubernetes takes, of a-z, 0-9, - and ., not ${value}`;
    }
  }
  const image = String(args['image']);
  if (!/^[\w.\-/:@]{1,512}$/.test(image)) return `--image must be an image such as ${preset.image}, not ${image}`;
  const roles: readonly Role[] = chosen.length === 0 ? preset.roles : chosen;
  return {
    roles,
    image,
    appPort,
    logsPath,
    configMap: args['config-map'] as string | undefined,
    tlsSecret: args['tls-secret'] as string | undefined,
    container: args['container'] as string | undefined,
  };
}

/** @throws Error when it cannot be read, or is not UTF-8: nothing may be changed that was not read */
async function readUtf8(file: string): Promise<string> {
  const bytes = file === '-' ? await buffer(process.stdin) : await readFile(file);
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}
