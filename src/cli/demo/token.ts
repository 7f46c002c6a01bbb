import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';

const keyFile = 'demo-signing.key';
const jwksFile = 'demo-jwks.json';

/**
 * Mints a token that config/demo.yaml accepts for a day. The key pair is made on first start and never committed.
 * @param folder where the keys are kept, `certs/`
 */
export async function mintDemoToken(folder: string): Promise<string> {
  const key = await importJWK(await signingKey(folder), 'ES256');
  return new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: 'demo' })
    .setSubject('ada')
    .setIssuer('https://demo.portico.invalid')
    .setAudience('demo')
    .setIssuedAt()
    .setExpirationTime('1d')
    .sign(key);
}

async function signingKey(folder: string): Promise<JWK> {
  const file = join(folder, keyFile);
  if (existsSync(file) && existsSync(join(folder, jwksFile))) return JSON.parse(readFileSync(file, 'utf8')) as JWK;
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const secret = await exportJWK(privateKey);
  const jwk = { ...(await exportJWK(publicKey)), kid: 'demo', alg: 'ES256', use: 'sig' };
  writeFileSync(join(folder, jwksFile), `${JSON.stringify({ keys: [jwk] }, null, 2)}\n`);
  writeFileSync(file, JSON.stringify(secret), { mode: 0o600 });
  return secret;
}
