import { note } from 'portico';

/** The claims of the request's verified token. Set by jwt-auth; absent when there was no token. */
export const jwtClaims = note<Record<string, unknown>>('jwt_claims');
