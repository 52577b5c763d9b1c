// jose with its remote key set: what a Node API does to a token, the keys found through the metadata document.

import { createRemoteJWKSet, jwtVerify } from 'jose';
import { config, report } from './attempts.mjs';

for (const { name, token, metadata, audience } of config.tokens) {
  const { issuer, jwks_uri } = await (await fetch(metadata)).json();
  try {
    const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(jwks_uri)), {
      algorithms: ['RS256'],
      audience,
      issuer,
      requiredClaims: ['exp', 'iat', 'nbf', 'sub'],
      typ: 'JWT',
    });
    report(name, { accepted: true, claims: payload });
  } catch (error) {
    report(name, { accepted: false, reason: error.code ?? error.message });
  }
}
