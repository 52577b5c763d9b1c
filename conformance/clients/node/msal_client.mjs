// @azure/msal-node: client credentials with a secret, and with a certificate by SHA-1 (RS256) or SHA-256 (PS256)
// thumbprint. The authority's own certificate is trusted through NODE_EXTRA_CA_CERTS, as its documentation asks.

import { ConfidentialClientApplication } from '@azure/msal-node';
import { codesIn, config, report } from './attempts.mjs';

function credential(given) {
  if ('secret' in given) return { clientSecret: given.secret };
  const clientCertificate = { privateKey: given.private_key };
  if (given.style === 'sha1') clientCertificate.thumbprint = given.sha1;
  else clientCertificate.thumbprintSha256 = given.sha256;
  if (given.style === 'chain') clientCertificate.x5c = given.certificate;
  return { clientCertificate };
}

for (const attempt of config.attempts) {
  try {
    const application = new ConfidentialClientApplication({
      auth: {
        clientId: attempt.client_id,
        authority: `${config.authority}/${attempt.tenant}`,
        knownAuthorities: [new URL(config.authority).host],
        ...credential(attempt.credential),
      },
    });
    const answer = await application.acquireTokenByClientCredential({ scopes: [attempt.scope] });
    const again = await application.acquireTokenByClientCredential({ scopes: [attempt.scope] });
    report(attempt.name, { token: answer.accessToken, again_from: again.fromCache ? 'cache' : 'network' });
  } catch (error) {
    report(attempt.name, {
      exception: error.name,
      message: error.message,
      error: error.errorCode,
      codes: codesIn(error.message),
    });
  }
}
