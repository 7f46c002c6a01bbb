import type { PeerCertificate } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { clientCertElement } from '../../../src/listener/client-certificate.ts';
import { isFieldValue } from '../../../src/http/index.ts';

describe('a client certificate as x-forwarded-client-cert', () => {
  it.each([
    ['names', 'CN=a', 'DNS:a.test, DNS:b.test', 'Subject="CN=a";DNS=a.test;DNS=b.test'],
    ['a URI', 'CN=a', 'URI:spiffe://x/y', 'Subject="CN=a";URI=spiffe://x/y'],
    ['no names', 'CN=a', undefined, 'Subject="CN=a"'],
    ['other kinds of names', 'CN=a', 'IP Address:192.0.2.1, email:a@b.test', 'Subject="CN=a"'],
    ['quotes in its subject', 'CN=a";URI=evil', undefined, 'Subject="CN=a\\";URI=evil"'],
    ['a name that Node quotes', 'CN=a', 'DNS:"a.test, DNS:evil.test"', 'Subject="CN=a";DNS="a.test, DNS:evil.test"'],
    ['letters beyond ASCII and line breaks', 'CN=ü\r\nX: y', undefined, 'Subject="CN=%C3%BC%0D%0AX: y"'],
  ])('with %s', (_what, subject, subjectaltname, expected) => {
    const certificate = { fingerprint256: 'AB:CD', subjectaltname } as PeerCertificate;
    const element = clientCertElement(certificate, subject);
    expect(element).toBe(`Hash=abcd;${expected}`);
    expect(isFieldValue(element)).toBe(true);
  });
});
