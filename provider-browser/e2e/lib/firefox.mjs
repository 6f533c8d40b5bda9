// A real Firefox, driven by Marionette, the protocol it has built in. Playwright
// can't drive Debian's. WebDriver BiDi could, but with it Firefox watches every
// worker, and in some releases (seen in 153) a worker that starts another one
// then hangs for ever now and then: both wait on one condition variable, on which
// the wrong one is woken.

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Marionette } from './marionette.mjs';
import { Process } from './process.mjs';
import { TARGET, find } from './programs.mjs';
import { until } from './wait.mjs';

const PICTURES = join(TARGET, 'screenshots');

/** Any free port; no pages but ours; nothing fetched in the background. */
const PREFERENCES = `
user_pref("marionette.port", 0);
user_pref("browser.startup.page", 0);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
`;

/** Firefox, with a home and a profile of its own. */
export class Firefox {
  #process;
  #driver;
  #home;

  /** @param {Process} process @param {Marionette} driver @param {string} home */
  constructor(process, driver, home) {
    this.#process = process;
    this.#driver = driver;
    this.#home = home;
  }

  static async launch() {
    const named = process.env.FIREFOX;
    const program = find(named ? [named] : ['firefox-esr', 'firefox']);
    const home = await mkdtemp(join(tmpdir(), 'wasipool-firefox-'));
    const profile = join(home, 'profile');
    await mkdir(profile);
    await writeFile(join(profile, 'user.js'), PREFERENCES);
    const args = ['--headless', '--no-remote', '--marionette', '--remote-allow-system-access', '--profile', profile];
    const firefox = new Process(program, args, { HOME: home });
    try {
      const port = await until('Firefox listens', async () =>
        Number(await readFile(join(profile, 'MarionetteActivePort'), 'utf8')));
      const driver = await Marionette.connect(port);
      await driver.send('WebDriver:NewSession', { capabilities: {} });
      return new Firefox(firefox, driver, home);
    } catch (error) {
      await firefox.stop();
      throw new Error(`Firefox did not start:\n${firefox.log}`, { cause: error });
    }
  }

  /**
   * Opens an address in a tab of its own.
   * @param {string} url @param {{ width: number, height: number }} size
   */
  async open(url, size) {
    const { handle } = await this.#driver.send('WebDriver:NewWindow', { type: 'tab' });
    const page = new Page(this.#driver, handle);
    await page.resize(size);
    await page.goto(url);
    return page;
  }

  async close() {
    this.#driver.close();
    await this.#process.stop();
    await rm(this.#home, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A tab of it. */
class Page {
  #driver;
  #handle;
  #url = '';

  /** @param {Marionette} driver @param {string} handle */
  constructor(driver, handle) {
    this.#driver = driver;
    this.#handle = handle;
  }

  /** @param {string} command @param {object} [parameters] */
  async #send(command, parameters = {}) {
    await this.#driver.send('WebDriver:SwitchToWindow', { handle: this.#handle, focus: true });
    return this.#driver.send(command, parameters);
  }

  /** Runs a function in the browser's own window, not in the page. */
  async #inBrowser(script, ...args) {
    await this.#send('Marionette:SetContext', { value: 'chrome' });
    try {
      const source = `return (${script})(...arguments)`;
      const { value } = await this.#driver.send('WebDriver:ExecuteScript', { script: source, args });
      return value;
    } finally {
      await this.#driver.send('Marionette:SetContext', { value: 'content' });
    }
  }

  /** @param {string} url */
  async goto(url) {
    this.#url = url;
    await this.#send('WebDriver:Navigate', { url });
  }

  /** @param {Function} script @param {...unknown} args what `script` gives in the page */
  async evaluate(script, ...args) {
    const source = `return (${script})(...arguments)`;
    const { value } = await this.#send('WebDriver:ExecuteScript', { script: source, args });
    return value;
  }

  /** What the first element says that `selector` finds. @param {string} selector */
  text(selector) {
    return this.evaluate((found) => document.querySelector(found)?.textContent, selector);
  }

  /** A phone is narrower than a window can be. @param {{ width: number, height: number }} size */
  async resize({ width, height }) {
    await this.#inBrowser((wide, high) => {
      const { style } = globalThis.gBrowser.selectedBrowser;
      for (const side of ['min', 'max']) {
        style.setProperty(`${side}-width`, `${wide}px`);
        style.setProperty(`${side}-height`, `${high}px`);
      }
    }, width, height);
    await until('the page has its size', () =>
      this.evaluate((wide, high) => innerWidth === wide && innerHeight === high, width, height));
  }

  /** What went wrong in pages of its origin, in workers too. */
  troubles() {
    return this.#inBrowser((origin) => globalThis.Services.console.getMessageArray()
      .filter((message) => message instanceof globalThis.Ci.nsIScriptError
        && message.sourceName.startsWith(origin)
        && !(message.flags & globalThis.Ci.nsIScriptError.warningFlag))
      .map((message) => message.message), new URL(this.#url).origin);
  }

  /** A picture of the whole page, in target/screenshots. @param {string} name */
  async picture(name) {
    const { value } = await this.#send('WebDriver:TakeScreenshot', { full: true });
    await mkdir(PICTURES, { recursive: true });
    await writeFile(`${join(PICTURES, name)}.png`, value, 'base64');
  }

  async close() {
    await this.#send('WebDriver:CloseWindow');
  }
}
