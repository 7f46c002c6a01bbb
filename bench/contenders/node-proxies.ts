import { startOn, type Contender } from '../contender.ts';

/** A proxy library, in the few lines of `servers/` that its README asks for. */
export function nodeProxy(name: string, script: string): Contender {
  return {
    name,
    present: () => true,
    start: (setting) =>
      startOn(setting, ['http', 'tls'], ({ port, appPort, tlsPort, certificate, key }) =>
        [process.execPath, `bench/servers/${script}`, port, appPort, tlsPort, certificate, key].map(String),
      ),
  };
}
