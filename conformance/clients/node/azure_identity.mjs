// @azure/identity: every credential that a service uses, alone and for a person.

import {
  AuthorizationCodeCredential,
  ClientAssertionCredential,
  ClientCertificateCredential,
  ClientSecretCredential,
  DeviceCodeCredential,
  ManagedIdentityCredential,
  OnBehalfOfCredential,
  UsernamePasswordCredential,
} from '@azure/identity';
import { ask, config, each, letTimePass, parametersOf } from './attempts.mjs';

const options = config.default_configuration
  ? {}
  : { authorityHost: config.authority, disableInstanceDiscovery: true, retryOptions: { maxRetries: 0 } };

const pem = (given) => given.private_key + given.certificate;

// Twice, since the second one comes from the cache.
async function token(credential, attempt) {
  const { token } = await credential.getToken(attempt.scope);
  const again = await credential.getToken(attempt.scope);
  return { token, again_from: again.token === token ? 'cache' : 'network' };
}

async function renewed(credential, attempt) {
  const outcome = await token(credential, attempt);
  await letTimePass(7200);
  return { ...outcome, renewed: (await credential.getToken(attempt.scope)).token };
}

await each({
  async client_credentials({ tenant, client_id, credential: given, ...attempt }) {
    if ('secret' in given) return token(new ClientSecretCredential(tenant, client_id, given.secret, options), attempt);
    if ('assertion' in given) {
      return token(new ClientAssertionCredential(tenant, client_id, async () => given.assertion, options), attempt);
    }
    const chain = given.style === 'chain';
    const certificate = { certificate: pem(given) };
    const credential = new ClientCertificateCredential(tenant, client_id, certificate, {
      ...options,
      sendCertificateChain: chain,
    });
    return token(credential, attempt);
  },
  async on_behalf_of({ tenant, client_id, credential: given, assertion, ...attempt }) {
    const proof =
      'secret' in given ? { clientSecret: given.secret } : { getAssertion: async () => given.assertion };
    const common = { ...options, tenantId: tenant, clientId: client_id, userAssertionToken: assertion };
    return token(new OnBehalfOfCredential({ ...common, ...proof }), attempt);
  },
  async authorization_code({ tenant, client_id, credential: given, redirect_uri, url, ...attempt }) {
    const { code } = parametersOf((await ask('/authorize', { url })).location);
    const credential = new AuthorizationCodeCredential(tenant, client_id, given.secret, code, redirect_uri, options);
    return renewed(credential, attempt);
  },
  async device_code({ tenant, client_id, ...attempt }) {
    const credential = new DeviceCodeCredential({
      ...options,
      tenantId: tenant,
      clientId: client_id,
      userPromptCallback: ({ userCode }) => ask('/device', { user_code: userCode }),
    });
    return renewed(credential, attempt);
  },
  async managed_identity({ client_id, ...attempt }) {
    return token(new ManagedIdentityCredential(client_id ? { clientId: client_id } : {}), attempt);
  },
  async password({ tenant, client_id, login, password, ...attempt }) {
    return renewed(new UsernamePasswordCredential(tenant, client_id, login, password, options), attempt);
  },
});
