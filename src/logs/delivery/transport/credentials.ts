import { redacted } from '../../../config/secret.ts';
import type { HttpOutputConfig } from '../config.ts';
import { WatchedFile } from './watched-file.ts';

type AuthConfig = NonNullable<HttpOutputConfig['auth']>;

/** What Portico identifies itself with. Values that were rotated are taken up at the next attempt. */
export class Credentials {
  readonly #auth: AuthConfig | undefined;
  readonly #file: WatchedFile | undefined;
  #secrets: readonly string[] = [];

  constructor(auth: AuthConfig | undefined) {
    this.#auth = auth;
    const path = auth === undefined ? undefined : fileOf(auth);
    this.#file = path === undefined ? undefined : new WatchedFile(path);
  }

  /** The value of `authorization`. @throws Error when the file cannot be read or holds no credential */
  async header(): Promise<string | undefined> {
    const auth = this.#auth;
    if (auth === undefined) return undefined;
    const secret = this.#file === undefined ? inlineOf(auth) : (await this.#file.read()).trim();
    if (secret === '' || /[\0\r\n]/.test(secret))
      throw new Error(`the file with the ${auth.kind} credential holds none`);
    const shown = auth.kind === 'basic' ? Buffer.from(`${auth.username}:${secret}`).toString('base64') : secret;
    this.#secrets = [secret, shown];
    return `${auth.kind === 'basic' ? 'Basic' : auth.kind === 'bearer' ? 'Bearer' : 'ApiKey'} ${shown}`;
  }

  /** Takes out of a store's answer what it may have repeated of ours. */
  redact(text: string): string {
    return this.#secrets.reduce((shown, secret) => shown.replaceAll(secret, redacted), text);
  }
}

function fileOf(auth: AuthConfig): string | undefined {
  if (auth.kind === 'bearer') return auth.token_file;
  return auth.kind === 'basic' ? auth.password_file : auth.api_key_file;
}

function inlineOf(auth: AuthConfig): string {
  if (auth.kind === 'bearer') return auth.token!;
  return auth.kind === 'basic' ? auth.password! : auth.api_key!;
}
