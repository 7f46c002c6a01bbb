import { note } from 'portico';
import type { JwtClaims } from './claims.ts';

/**
 * The claims of the request's verified token, frozen. Set by jwt-auth; absent when there was no token. In a file of its
 * own, so that filters which read it need not load jose.
 */
export const jwtClaims = note<JwtClaims>('jwt_claims');
