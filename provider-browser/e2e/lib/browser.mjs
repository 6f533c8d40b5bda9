// A real Chromium, the sizes that pages are looked at in, and pictures of them.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import playwright from 'playwright-core';

import { TARGET, chromium } from './programs.mjs';

export const DESKTOP = { width: 1280, height: 860 };
export const PHONE = { width: 390, height: 844 };

const PICTURES = join(TARGET, 'screenshots');

const options = () => ({
  executablePath: chromium(),
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

/** Starts Chromium with a new profile; the caller closes it. */
export function launch() {
  return playwright.chromium.launch(options());
}

/** The same, for tests that stop all its processes with a signal. */
export async function launchServer() {
  const server = await playwright.chromium.launchServer(options());
  const browser = await playwright.chromium.connect(server.wsEndpoint());
  return {
    browser,
    /** @param {NodeJS.Signals} signal to Chromium, and all that it has started */
    signal: (signal) => process.kill(-(server.process().pid ?? NaN), signal),
    close: () => server.close(),
  };
}

/**
 * Opens an address in a context of its own. What goes wrong in the page is
 * gathered in `page.troubles`: `assert.deepEqual(page.troubles, [])` at the end.
 * @param {playwright.Browser} browser
 * @param {string} url
 * @param {{ size?: typeof DESKTOP, scheme?: 'light' | 'dark', context?: playwright.BrowserContextOptions }} [look]
 * @returns {Promise<playwright.Page & { troubles: string[] }>}
 */
export async function open(browser, url, { size = DESKTOP, scheme = 'light', context = {} } = {}) {
  const own = await browser.newContext({
    viewport: size,
    colorScheme: scheme,
    locale: 'en-GB',
    hasTouch: size === PHONE,
    ...context,
  });
  const page = /** @type {any} */ (await own.newPage());
  page.troubles = [];
  page.on('pageerror', (error) => page.troubles.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') page.troubles.push(message.text());
  });
  await page.goto(url);
  return page;
}

/**
 * A picture of the whole page, or of what can be seen of it at a time, in
 * target/screenshots, for people to look at.
 * @param {playwright.Page} page
 * @param {string} name
 * @param {{ whole?: boolean }} [how]
 */
export async function picture(page, name, { whole = true } = {}) {
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: whole });
}

/**
 * Pictures in desktop and phone size; the page is left in desktop size. Nothing
 * may stick out of a phone's screen.
 * @param {playwright.Page} page
 * @param {string} name
 * @param {{ whole?: boolean }} [how]
 */
export async function pictures(page, name, how) {
  await page.setViewportSize(PHONE);
  await picture(page, `${name}-phone`, how);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  if (wide > PHONE.width) throw new Error(`${name} is ${wide} px wide on a phone of ${PHONE.width}`);
  await page.setViewportSize(DESKTOP);
  await picture(page, `${name}-desktop`, how);
}
