/**
 * A certificate authority of one's own and a certificate for localhost, so that HTTPS can be tried at once. Whoever
 * trusts the authority trusts whoever holds its key: for development only.
 */
import { webcrypto, X509Certificate } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface DevelopmentCertificates {
  /** Paths of the files, in the folder that was asked for. */
  readonly authority: string;
  readonly authorityKey: string;
  readonly certificate: string;
  readonly key: string;
  /** False when good ones were there already. */
  readonly made: boolean;
}

const day = 24 * 60 * 60 * 1000;
/** Browsers refuse leaf certificates that are good for more than 398 days (Apple's since 2020, CA/B Forum SC-31). */
const lifetime = 397 * day;
const names = ['localhost', '127.0.0.1', '::1'];

/**
 * Makes `ca.crt`, `ca.key`, `localhost.crt` and `localhost.key` in a folder, unless certificates that are good for another day are
 * there. Keys are readable by their owner alone.
 * @throws Error when files are there that were not made here or have expired, and `force` is not set
 */
export async function ensureDevelopmentCertificates(
  folder: string,
  { force = false }: { force?: boolean } = {},
): Promise<DevelopmentCertificates> {
  const files = {
    authority: join(folder, 'ca.crt'),
    authorityKey: join(folder, 'ca.key'),
    certificate: join(folder, 'localhost.crt'),
    key: join(folder, 'localhost.key'),
  };
  if (!force) {
    const state = await stateOf(Object.values(files), files.certificate);
    if (state === 'good') return { ...files, made: false };
    if (state !== 'absent')
      throw new Error(
        `${folder} has certificates already, but ${state}; replace them with: portico certs --force -o ${folder}`,
      );
  }
  const made = await makeCertificates();
  await mkdir(folder, { recursive: true });
  await put(files.authorityKey, made.authorityKey, 0o600);
  await put(files.authority, made.authority, 0o644);
  await put(files.key, made.key, 0o600);
  await put(files.certificate, made.certificate, 0o644);
  return { ...files, made: true };
}

async function stateOf(files: readonly string[], certificate: string): Promise<string> {
  const there = await Promise.all(files.map((file) => readFile(file).catch(() => undefined)));
  if (there.every((content) => content === undefined)) return 'absent';
  const missing = files.filter((_, index) => there[index] === undefined);
  if (missing.length > 0) return `${missing.join(', ')} cannot be read`;
  try {
    const expiry = Date.parse(new X509Certificate(there[files.indexOf(certificate)]!).validTo);
    return expiry > Date.now() + day ? 'good' : `${certificate} has expired or is about to`;
  } catch {
    return `${certificate} is not a certificate`;
  }
}

/** In one step, so that a running portico never reads half a file; never through a link that somebody else laid. */
async function put(file: string, content: string, mode: number): Promise<void> {
  const draft = `${file}.${process.pid}.tmp`;
  await writeFile(draft, content, { mode, flag: 'wx' });
  // The umask may have taken away more than was meant.
  await chmod(draft, mode);
  await rename(draft, file);
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

async function makeCertificates(): Promise<{
  authority: string;
  authorityKey: string;
  certificate: string;
  key: string;
}> {
  const x509 = await loadX509();
  const notBefore = new Date(Date.now() - 60 * 60 * 1000);
  const notAfter = new Date(notBefore.getTime() + lifetime);
  const authorityKeys = await makeKeys();
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=Portico development CA ${new Date().toISOString().slice(0, 10)}`,
    keys: authorityKeys,
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: 'CN=localhost',
    issuer: authority.subject,
    publicKey: keys.publicKey,
    signingKey: authorityKeys.privateKey,
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: value === 'localhost' ? 'dns' : 'ip', value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  return {
    authority: `${authority.toString('pem')}\n`,
    authorityKey: await privateKeyText(authorityKeys.privateKey),
    certificate: `${certificate.toString('pem')}\n`,
    key: await privateKeyText(keys.privateKey),
  };
}

async function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

async function privateKeyText(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = bytes.toString('base64').match(/.{1,64}/g)!;
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

/** The library's container looks for a metadata API that no JavaScript has, and is content when it says nothing. */
async function loadX509() {
  const reflect = Reflect as unknown as Record<string, unknown>;
  reflect['getMetadata'] ??= () => undefined;
  reflect['getOwnMetadata'] ??= () => undefined;
  reflect['defineMetadata'] ??= () => undefined;
  return import('@peculiar/x509');
}
