// A single-page application on @azure/msal-browser, as its documentation has it.

globalThis.app = {
  async start({ authority, clientId, scope }) {
    this.scopes = [scope];
    this.client = new msal.PublicClientApplication({
      auth: { authority, clientId, knownAuthorities: [new URL(authority).host], redirectUri: `${location.origin}/` },
      cache: { cacheLocation: 'sessionStorage' },
    });
    await this.client.initialize();
    const answer = await this.client.handleRedirectPromise();
    if (answer) this.client.setActiveAccount(answer.account);
    return answer && this.told(answer);
  },
  signIn() {
    return this.client.loginRedirect({ scopes: this.scopes });
  },
  async silent(options) {
    return this.told(await this.client.acquireTokenSilent({ scopes: this.scopes, ...options }));
  },
  async framed(redirectUri) {
    const { username } = this.client.getActiveAccount();
    return this.told(await this.client.ssoSilent({ scopes: this.scopes, loginHint: username, redirectUri }));
  },
  told({ accessToken, account, fromCache, idTokenClaims }) {
    return { token: accessToken, account: account.username, fromCache, claims: idTokenClaims };
  },
};
