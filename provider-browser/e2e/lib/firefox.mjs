// A real Firefox, driven by puppeteer: Playwright can't drive Debian's.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import puppeteer from 'puppeteer-core';

import { TARGET, find } from './programs.mjs';

const PICTURES = join(TARGET, 'screenshots');

/** Firefox, with a home of its own. */
export class Firefox {
  /** @type {import('puppeteer-core').Browser} */
  #browser;
  #home;

  /** @param {import('puppeteer-core').Browser} browser @param {string} home */
  constructor(browser, home) {
    this.#browser = browser;
    this.#home = home;
  }

  static async launch() {
    const named = process.env.FIREFOX;
    const home = await mkdtemp(join(tmpdir(), 'wasipool-firefox-'));
    const browser = await puppeteer.launch({
      browser: 'firefox',
      executablePath: find(named ? [named] : ['firefox-esr', 'firefox']),
      headless: true,
      timeout: 120_000,
      protocolTimeout: 120_000,
      env: { ...process.env, HOME: home },
    });
    return new Firefox(browser, home);
  }

  /**
   * Opens an address. What goes wrong in the page is gathered in `page.troubles`.
   * @param {string} url @param {{ width: number, height: number }} size
   * @returns {Promise<import('puppeteer-core').Page & { troubles: string[] }>}
   */
  async open(url, size) {
    const page = /** @type {any} */ (await this.#browser.newPage());
    page.troubles = [];
    page.on('pageerror', (error) => page.troubles.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') page.troubles.push(message.text());
    });
    await page.setViewport(size);
    await page.goto(url);
    return page;
  }

  async close() {
    await this.#browser.close();
    await rm(this.#home, { recursive: true, force: true });
  }
}

/**
 * A picture of the whole page, in target/screenshots.
 * @param {import('puppeteer-core').Page} page @param {string} name
 */
export async function picture(page, name) {
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: `${join(PICTURES, name)}.png`, fullPage: true });
}
