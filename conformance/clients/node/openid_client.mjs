// openid-client: a certified OpenID Connect relying party that nobody at Microsoft wrote. It takes everything from the
// metadata, verifies signatures, nonce, state and issuer, and keeps to the standards where MSAL does not.

import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import * as client from 'openid-client';
import { ask, config, each, letTimePass } from './attempts.mjs';

async function authentication(given) {
  if (!given) return client.None();
  if ('secret' in given) return (given.style === 'basic' ? client.ClientSecretBasic : client.ClientSecretPost)(given.secret);
  const der = createPrivateKey(given.private_key).export({ type: 'pkcs8', format: 'der' });
  const key = await crypto.subtle.importKey('pkcs8', der, { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, false, ['sign']);
  const thumbprint = createHash('sha256').update(new X509Certificate(given.certificate).raw).digest('base64url');
  return client.PrivateKeyJwt(key, {
    [client.modifyAssertion]: (header) => {
      header['x5t#S256'] = thumbprint;
    },
  });
}

async function discovered(attempt) {
  const issuer = new URL(`${config.authority}/${attempt.tenant}/v2.0`);
  const found = await client.discovery(issuer, attempt.client_id, undefined, await authentication(attempt.credential));
  client.enableNonRepudiationChecks(found);
  return found;
}

async function renewed(found, answer) {
  await letTimePass(7200);
  const renewal = await client.refreshTokenGrant(found, answer.refresh_token);
  return {
    token: answer.access_token,
    claims: answer.claims(),
    renewed: renewal.access_token,
    again_from: renewal.refresh_token === answer.refresh_token ? 'same' : 'new refresh token',
  };
}

await each({
  async client_credentials(attempt) {
    const answer = await client.clientCredentialsGrant(await discovered(attempt), { scope: attempt.scope });
    return { token: answer.access_token };
  },
  async authorization_code(attempt) {
    const found = await discovered(attempt);
    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()];
    const url = client.buildAuthorizationUrl(found, {
      redirect_uri: attempt.redirect_uri,
      scope: `openid profile offline_access ${attempt.scope}`,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      nonce: expectedNonce,
    });
    const { location } = await ask('/authorize', { url });
    const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
    return renewed(found, await client.authorizationCodeGrant(found, new URL(location), checks));
  },
  async device_code(attempt) {
    const found = await discovered(attempt);
    const started = await client.initiateDeviceAuthorization(found, { scope: `openid profile offline_access ${attempt.scope}` });
    await ask('/device', { user_code: started.user_code });
    return renewed(found, await client.pollDeviceAuthorizationGrant(found, started));
  },
});
