import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ConfigError, type Fault, type OptionPath } from '../options/index.ts';
import type { TlsConfig } from './config.ts';

/** A certificate that is ready to be shown to clients. */
export interface Certificate {
  /** DNS names and addresses it is good for, in lower case, as they stand in the certificate. */
  readonly names: readonly string[];
  readonly notAfter: Date;
  readonly context: SecureContext;
  /** PEM, for a server's default. */
  readonly pem: {
    readonly cert: Buffer;
    readonly key: Buffer;
    readonly passphrase: string | undefined;
    readonly ca: Buffer | undefined;
  };
}

/** The certificates of a listener, with the choice by the name that the client asks for. */
export class CertificateStore {
  readonly certificates: readonly [Certificate, ...Certificate[]];
  readonly #exact = new Map<string, Certificate>();
  /** By what follows the star: `.example.org`. */
  readonly #wildcard = new Map<string, Certificate>();

  constructor(certificates: readonly [Certificate, ...Certificate[]]) {
    this.certificates = certificates;
    // Backwards, so that the first of two certificates for one name wins.
    for (const certificate of certificates.toReversed()) {
      for (const name of certificate.names) {
        if (name.startsWith('*.')) this.#wildcard.set(name.slice(1), certificate);
        else this.#exact.set(name, certificate);
      }
    }
  }

  /** Whether another store has the same certificates, keys and authorities. */
  shows(other: CertificateStore): boolean {
    return (
      this.certificates.length === other.certificates.length &&
      this.certificates.every(({ pem }, index) => {
        const its = other.certificates[index]!.pem;
        const sameCa = pem.ca === its.ca || (pem.ca !== undefined && its.ca !== undefined && pem.ca.equals(its.ca));
        return sameCa && pem.cert.equals(its.cert) && pem.key.equals(its.key);
      })
    );
  }

  /** Exact name, then a wildcard for its first label (RFC 9525 §6.3), else the first certificate. */
  choose(serverName: string): Certificate {
    const name = serverName.toLowerCase();
    const dot = name.indexOf('.');
    return this.#exact.get(name) ?? (dot > 0 ? this.#wildcard.get(name.slice(dot)) : undefined) ?? this.certificates[0];
  }
}

/**
 * Reads and checks all certificates of a listener.
 * @param path place of `tls` in the configuration
 * @throws ConfigError with every fault
 */
export async function loadCertificates(
  config: TlsConfig,
  resolvePath: (path: string) => string,
  path: OptionPath,
): Promise<CertificateStore> {
  const faults: Fault[] = [];
  const collect = async <T>(work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      faults.push(...error.faults);
      return undefined;
    }
  };
  const ca =
    config.client_ca === undefined
      ? undefined
      : await collect(readCa(config.client_ca, resolvePath, [...path, 'client_ca']));
  if (config.require_client_certificate && config.client_ca === undefined) {
    faults.push({
      path: [...path, 'require_client_certificate'],
      message: 'needs client_ca, the authorities to verify client certificates against',
    });
  }
  const certificates: Certificate[] = [];
  for (const [index, files] of config.certificates.entries()) {
    const loaded = await collect(loadCertificate(files, ca, config, resolvePath, [...path, 'certificates', index]));
    if (loaded !== undefined) certificates.push(loaded);
  }
  const [first, ...rest] = certificates;
  if (faults.length > 0 || first === undefined) throw new ConfigError(faults);
  return new CertificateStore([first, ...rest]);
}

async function loadCertificate(
  files: TlsConfig['certificates'][number],
  ca: Buffer | undefined,
  config: TlsConfig,
  resolvePath: (path: string) => string,
  path: OptionPath,
): Promise<Certificate> {
  const chainAt = [...path, 'certificate_chain'];
  const keyAt = [...path, 'private_key'];
  const [cert, key] = await both(
    readPem(files.certificate_chain, resolvePath, chainAt, 'CERTIFICATE'),
    readPem(files.private_key, resolvePath, keyAt, 'PRIVATE KEY'),
  );
  const leaf = parseCertificate(cert, files.certificate_chain, chainAt);
  const privateKey = parseKey(key, files, keyAt);
  if (!leaf.checkPrivateKey(privateKey)) {
    throw fault(keyAt, `${files.private_key} is not the key of the certificate in ${files.certificate_chain}`);
  }
  const { passphrase } = files;
  let context: SecureContext;
  try {
    context = createSecureContext({
      cert,
      key,
      minVersion: tlsVersion(config),
      ...(passphrase === undefined ? {} : { passphrase }),
      ...(ca === undefined ? {} : { ca }),
    });
  } catch (error) {
    throw fault(chainAt, `${files.certificate_chain} cannot be used: ${(error as Error).message}`);
  }
  return { names: namesOf(leaf), notAfter: leaf.validToDate, context, pem: { cert, key, passphrase, ca } };
}

export function tlsVersion(config: TlsConfig): 'TLSv1.2' | 'TLSv1.3' {
  return config.minimum_version === 'TLSv1_3' ? 'TLSv1.3' : 'TLSv1.2';
}

async function readCa(file: string, resolvePath: (path: string) => string, path: OptionPath): Promise<Buffer> {
  const pem = await readPem(file, resolvePath, path, 'CERTIFICATE');
  parseCertificate(pem, file, path);
  return pem;
}

async function readPem(
  file: string,
  resolvePath: (path: string) => string,
  path: OptionPath,
  kind: string,
): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readFile(resolvePath(file));
  } catch (error) {
    throw fault(
      path,
      `cannot read ${file}: ${reasons[(error as NodeJS.ErrnoException).code ?? ''] ?? (error as Error).message}`,
    );
  }
  if (new RegExp(`-----BEGIN (?:[A-Z0-9]+ )*${kind}-----`).test(bytes.toString('latin1'))) return bytes;
  throw fault(path, `${file} has no PEM block of a ${kind.toLowerCase()} ("-----BEGIN … ${kind}-----")`);
}

const reasons: Record<string, string> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
};

function parseCertificate(pem: Buffer, file: string, path: OptionPath): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw fault(path, `${file} has a damaged certificate`);
  }
}

function parseKey(pem: Buffer, files: TlsConfig['certificates'][number], path: OptionPath): KeyObject {
  const { private_key: file, passphrase } = files;
  const encrypted = /ENCRYPTED/.test(pem.toString('latin1'));
  if (encrypted && passphrase === undefined)
    throw fault(path, `${file} is encrypted: set passphrase, or give a key that is not`);
  try {
    return createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase });
  } catch {
    throw fault(
      path,
      encrypted
        ? `${file} cannot be decrypted: the passphrase is wrong, or the file is damaged`
        : `${file} has a damaged private key`,
    );
  }
}

/** Subject alternative names; the common name only where there are none, as browsers once did. */
function namesOf(certificate: X509Certificate): string[] {
  const names = [...(certificate.subjectAltName ?? '').matchAll(/(?:DNS|IP Address):("(?:[^"\\]|\\.)*"|[^,]+)/g)].map(
    ([, name]) => name!.trim().toLowerCase(),
  );
  if (names.length > 0) return names;
  const common = /^CN=(.+)$/m.exec(certificate.subject)?.[1];
  return common === undefined ? [] : [common.toLowerCase()];
}

/** Waits for both, so that both faults are told. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === 'fulfilled' && b.status === 'fulfilled') return [a.value, b.value];
  const errors = [a, b].flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
  const other = errors.find((error) => !(error instanceof ConfigError));
  if (other !== undefined) throw other;
  throw new ConfigError((errors as ConfigError[]).flatMap((error) => error.faults));
}

function fault(path: OptionPath, message: string): ConfigError {
  return new ConfigError([{ path, message }]);
}
