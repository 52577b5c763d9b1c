// The check that has been copied from page to page for years: GET …/discovery/keys?appid=…, take the key whose kid the
// token names, wrap x5c[0] as a PEM certificate, and hand that to jsonwebtoken.

import jwt from 'jsonwebtoken';
import { config, report } from './attempts.mjs';

for (const { name, token, authority, tenant, appid, audience, issuer } of config.tokens) {
  const answer = await fetch(`${authority}/${tenant}/discovery/keys?appid=${appid}`);
  const { keys } = await answer.json();
  const decoded = jwt.decode(token, { complete: true });
  const key = keys.find(({ kid }) => kid === decoded?.header.kid);
  if (!key) {
    report(name, { accepted: false, reason: 'no key of that kid' });
    continue;
  }
  const certificate = `-----BEGIN CERTIFICATE-----\n${key.x5c[0]}\n-----END CERTIFICATE-----\n`;
  try {
    const claims = jwt.verify(token, certificate, { algorithms: ['RS256'], audience, issuer });
    report(name, { accepted: true, claims });
  } catch (error) {
    report(name, { accepted: false, reason: error.message });
  }
}
