// @azure/msal-node: everything in which a person takes part, and assertions from elsewhere. After each sign-in the token
// is asked for again, silently: from the cache, and by the refresh token once two hours have passed.

import { ConfidentialClientApplication, CryptoProvider, PublicClientApplication } from '@azure/msal-node';
import { ask, config, each, letTimePass, parametersOf } from './attempts.mjs';

function application(attempt) {
  const auth = { clientId: attempt.client_id, authority: `${config.authority}/${attempt.tenant}` };
  if (!config.default_configuration) auth.knownAuthorities = [new URL(config.authority).host];
  const given = attempt.credential;
  if (!given) return new PublicClientApplication({ auth });
  if ('secret' in given) auth.clientSecret = given.secret;
  else if ('assertion' in given) auth.clientAssertion = async () => given.assertion;
  else auth.clientCertificate = { privateKey: given.private_key, thumbprintSha256: given.sha256 };
  return new ConfidentialClientApplication({ auth });
}

async function signedIn(attempt, app, answer) {
  const { account } = answer;
  const wanted = { account, scopes: [attempt.scope] };
  const again = await app.acquireTokenSilent(wanted);
  const forced = await app.acquireTokenSilent({ ...wanted, forceRefresh: true });
  await letTimePass(7200);
  const renewed = await app.acquireTokenSilent(wanted);
  return {
    token: answer.accessToken,
    claims: answer.idTokenClaims,
    account: account.username,
    home: account.homeAccountId,
    again_from: again.fromCache ? 'cache' : 'network',
    forced: forced.accessToken,
    renewed: renewed.accessToken,
  };
}

await each({
  async authorization_code(attempt) {
    const app = application(attempt);
    const { verifier, challenge } = await new CryptoProvider().generatePkceCodes();
    const request = { scopes: [attempt.scope], redirectUri: attempt.redirect_uri };
    const url = await app.getAuthCodeUrl({ ...request, codeChallenge: challenge, codeChallengeMethod: 'S256' });
    const { location } = await ask('/authorize', { url });
    const { code, client_info: clientInfo } = parametersOf(location);
    const redemption = { ...request, code, codeVerifier: verifier, clientInfo };
    return signedIn(attempt, app, await app.acquireTokenByCode(redemption));
  },
  async device_code(attempt) {
    const app = application(attempt);
    let asked;
    const deviceCodeCallback = ({ userCode }) => {
      asked = ask('/device', { user_code: userCode });
    };
    const answer = await app.acquireTokenByDeviceCode({ scopes: [attempt.scope], deviceCodeCallback });
    await asked;
    return signedIn(attempt, app, answer);
  },
  async password(attempt) {
    const app = application(attempt);
    const request = { scopes: [attempt.scope], username: attempt.login, password: attempt.password };
    return signedIn(attempt, app, await app.acquireTokenByUsernamePassword(request));
  },
  async on_behalf_of(attempt) {
    const app = application(attempt);
    const request = { scopes: [attempt.scope], oboAssertion: attempt.assertion };
    const answer = await app.acquireTokenOnBehalfOf(request);
    const again = await app.acquireTokenOnBehalfOf(request);
    return { token: answer.accessToken, again_from: again.fromCache ? 'cache' : 'network' };
  },
  async refresh_token(attempt) {
    const request = { scopes: [attempt.scope], refreshToken: attempt.refresh_token };
    return { token: (await application(attempt).acquireTokenByRefreshToken(request)).accessToken };
  },
  async client_credentials(attempt) {
    const request = { scopes: [attempt.scope] };
    return { token: (await application(attempt).acquireTokenByClientCredential(request)).accessToken };
  },
});
