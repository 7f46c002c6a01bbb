import { startOn, type Contender } from '../contender.ts';

/**
 * A proxy library, in the few lines of `servers/` that its README asks for.
 * @param settings further arguments of the script
 */
export function nodeProxy(name: string, script: string, ...settings: string[]): Contender {
  return {
    name,
    present: () => true,
    start: (setting) =>
      startOn(setting, ['http', 'tls'], ({ port, appPort, tlsPort, certificate, key }) =>
        [process.execPath, `bench/servers/${script}`, port, appPort, tlsPort, certificate, key, ...settings].map(
          String,
        ),
      ),
  };
}
