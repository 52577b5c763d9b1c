// Headless Chromium on the authority's pages, driven by playwright-core. Its trust is one key: that of the CA whose
// certificate comes with the input; every other certificate is refused as ever. Whatever a page writes to the console as
// an error, a refusal of its Content-Security-Policy above all, is in the outcome.

import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { ask, config, each } from './attempts.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const { publicKey } = new X509Certificate(readFileSync(config.ca));
const pin = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64');

const browser = await chromium.launch({
  executablePath: config.chromium,
  args: [
    '--no-sandbox',
    `--ignore-certificate-errors-spki-list=${pin}`,
    // Only this machine, and what stands here for the application that people sign in to.
    `--host-resolver-rules=MAP client.contoso.com ${config.application}, MAP * ~NOTFOUND, EXCLUDE localhost`,
  ],
});

// A browser of one person; `told` gathers what its pages complain of, `left` where it was sent outside.
async function open(options = {}) {
  // Colours that are still on their way from one to another are nobody's to judge.
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  const [told, left] = [[], []];
  const page = await context.newPage();
  page.setDefaultTimeout(30000);
  page.on('request', (request) => {
    if (request.isNavigationRequest() && new URL(request.url()).hostname === 'client.contoso.com') {
      left.push({ url: request.url(), body: request.postData() });
    }
  });
  // That an error page comes with 400 is told too, and no fault.
  const isFault = (message) => message.type() === 'error' && !message.text().includes('a status of 400');
  page.on('console', (message) => isFault(message) && told.push(message.text()));
  page.on('pageerror', (error) => told.push(String(error)));
  return { context, page, told, left };
}

async function signIn(page, login, password) {
  await page.fill('[name=login]', login);
  await page.fill('[name=passwd]', password);
  await page.click('[name=signin]');
}

// Presses Tab until that element has the focus. Where the focus is must be seen.
async function tabTo(page, selector) {
  for (let presses = 0; presses < 30; presses += 1) {
    if (await page.evaluate((selector) => document.activeElement?.matches(selector), selector)) {
      const seen = await page.evaluate(() => {
        const { outlineStyle, boxShadow } = getComputedStyle(document.activeElement);
        return outlineStyle !== 'none' || boxShadow !== 'none';
      });
      if (!seen) throw new Error(`${selector}: the focus cannot be seen`);
      return;
    }
    await page.keyboard.press('Tab');
  }
  throw new Error(`${selector}: not reached by the keyboard on "${await page.title()}"`);
}

async function press(page, selector) {
  await tabTo(page, selector);
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
}

// Looks at a page in both colour schemes and two sizes. Only what is serious counts.
async function look(page, name, faults, seen) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const [width, height] of [[1280, 900], [390, 844]]) {
      await page.setViewportSize({ width, height });
      const where = `${name}, ${colorScheme}, ${width}`;
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      for (const { id, impact, nodes } of violations) {
        if (['serious', 'critical'].includes(impact)) faults.push(`${where}: ${id}: ${nodes[0].html}`);
      }
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      if (wide) faults.push(`${where}: wider than the window`);
    }
  }
  seen.push(`${name}: ${await page.locator('h1').first().textContent()}`);
}

const flows = {
  // Sign-in and consent by the keyboard alone.
  async keyboard({ url, login, password }) {
    const { context, page, told, left } = await open();
    await page.goto(url);
    await tabTo(page, '[name=login]');
    await page.keyboard.type(login);
    await tabTo(page, '[name=passwd]');
    await page.keyboard.type(password);
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
    await press(page, '[name=kmsi][value=no]');
    const asked = await page.locator('main').innerText();
    await press(page, '[name=decision][value=accept]');
    await context.close();
    return { location: left[0]?.url, asked, told };
  },

  // The same with scripts switched off, and the answer by a form that the person posts.
  async noscript({ url, login, password }) {
    const { context, page, told, left } = await open({ javaScriptEnabled: false });
    await page.goto(url);
    await signIn(page, login, password);
    await page.click('[name=kmsi][value=no]');
    await page.click('#answer button');
    await page.waitForURL(/contoso\.com/);
    await context.close();
    return { location: left[0]?.url, body: left[0]?.body, told };
  },

  // With scripts the form posts itself.
  async form_post({ url, login, password }) {
    const { context, page, told, left } = await open();
    await page.goto(url);
    await signIn(page, login, password);
    await page.click('[name=kmsi][value=no]');
    await page.waitForURL(/contoso\.com/);
    await context.close();
    return { location: left[0]?.url, body: left[0]?.body, told };
  },

  // @azure/msal-browser in a single-page application.
  async msal_browser({ site, app, login, password }) {
    const { context, page, told } = await open();
    await page.goto(`${site}/`);
    const call = (name, ...rest) => page.evaluate(([name, rest]) => globalThis.app[name](...rest), [name, rest]);
    await call('start', app);
    await call('signIn').catch(() => {});
    await page.waitForSelector('[name=login]');
    await signIn(page, login, password);
    await page.click('[name=kmsi][value=yes]');
    await page.click('[name=decision][value=accept]');
    await page.waitForURL(`${site}/**`);
    const signedIn = await call('start', app);
    const silent = await call('silent', {});
    await ask('/advance', { seconds: 7200 });
    const renewed = await call('silent', { forceRefresh: true });
    // Anew, without the refresh token: in a hidden frame, by the session.
    const framed = await call('framed', `${site}/redirect.html`);
    await context.close();
    return { signed_in: signedIn, silent, renewed, framed, told };
  },

  // Every page that a person can come to.
  async every_page({ urls, login, administrator, password }) {
    const [faults, seen] = [[], []];
    const { context, page, told } = await open();
    const see = (name) => look(page, name, faults, seen);
    await page.goto(urls.front);
    await see('front');
    await page.goto(urls.lookup);
    await see('error look-up');
    await page.goto(urls.mismatch);
    await see('error');
    await page.goto(urls.consent);
    await see('sign-in');
    await signIn(page, login, 'not the password');
    await see('sign-in, fault');
    await page.fill('[name=passwd]', password);
    await page.click('[name=signin]');
    await see('stay signed in');
    await page.click('[name=kmsi][value=yes]');
    await see('consent');
    await page.goto(urls.admin);
    await see('need approval');
    await page.click('[name=switch]');
    await see('account picker');
    await page.click('[name=account][value=other]');
    await signIn(page, administrator, password);
    if (await page.locator('[name=kmsi]').count()) await page.click('[name=kmsi][value=yes]');
    await see('consent, administrator');
    await page.goto(urls.adminconsent);
    if (await page.locator('[name=account]').count()) await page.locator('[name=account]').last().click();
    if (await page.locator('[name=passwd]').count()) await signIn(page, administrator, password);
    await see('administrator consent');
    await page.goto(urls.device);
    await see('device code');
    await page.fill('[name=code]', 'AAAAAAAAA');
    await page.click('[name=next]');
    await see('device code, fault');
    await page.fill('[name=code]', urls.user_code);
    await page.click('[name=next]');
    await see('device, account');
    await page.locator('[name=account]').first().click();
    await see('device, confirm');
    await page.click('[name=decision][value=accept]');
    await see('device, done');
    await page.goto(urls.logout);
    await see('sign out');
    const choice = page.locator('[name=account][value=all], [name=signout][value=yes]').first();
    await choice.click();
    await see('signed out');
    await context.close();
    return { faults, seen, told };
  },
};

try {
  await each(flows);
} finally {
  await browser.close();
}
