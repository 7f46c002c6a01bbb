import { createPrivateKey, webcrypto } from 'node:crypto';
import type { X509Certificate } from '@peculiar/x509';

/** PEM texts of a certificate and its key. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
  /** The same key, encrypted. */
  encryptedKey(passphrase: string): string;
}

export interface TestAuthority extends TestCertificate {
  /** @param names DNS names and addresses, the first is the common name too */
  issue(...names: string[]): Promise<TestCertificate>;
}

// The library's container asks for a metadata API that JavaScript does not have, and is content when it says nothing.
const reflect = Reflect as unknown as Record<string, unknown>;
for (const name of ['getMetadata', 'getOwnMetadata', 'defineMetadata']) reflect[name] ??= () => undefined;
const x509 = await import('@peculiar/x509');

// The overload that takes a provider alone; the types of the library's own `Crypto` and Node's differ in name only.
(x509.cryptoProvider.set as (provider: typeof webcrypto) => void)(webcrypto);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const day = 86_400_000;

/** A certificate authority of one test. */
export async function makeAuthority(name = 'Test CA'): Promise<TestAuthority> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + day),
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  let serial = 1;
  return {
    ...(await asPem(root, keys)),
    async issue(...names) {
      const own = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
      const leaf = await x509.X509CertificateGenerator.create({
        serialNumber: (++serial).toString(16).padStart(4, '0'),
        subject: `CN=${names[0]!}`,
        issuer: root.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        notBefore: new Date(Date.now() - day),
        notAfter: new Date(Date.now() + day),
        extensions: [
          new x509.SubjectAlternativeNameExtension(
            names.map((text) => ({ type: /^[\d.]+$|:/.test(text) ? ('ip' as const) : ('dns' as const), value: text })),
          ),
        ],
      });
      return asPem(leaf, own);
    },
  };
}

async function asPem(certificate: X509Certificate, keys: webcrypto.CryptoKeyPair): Promise<TestCertificate> {
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  return {
    cert: certificate.toString('pem'),
    key: key.export({ type: 'pkcs8', format: 'pem' }),
    encryptedKey: (passphrase) => key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }),
  };
}
