// @ts-check
// How it stands with the broker: a word in the head of the page and, when there
// is trouble, a card that says what can be done. Both pages have the elements.

import { setToken, token } from './api.js';
import { byId, duration, setText } from './text.js';

/** @typedef {import('./live.js').Standing} Standing */

/** Trouble that is over within this time isn't worth a card. */
const PATIENCE_MS = 2_500;

/** @param {string} text @param {string} look */
function say(text, look) {
  const word = byId('standing');
  setText(word, text);
  word.className = `state ${look}`;
}

/** @param {string} title @param {string} advice @param {'retry' | 'token' | 'start'} wayOut */
function card(title, advice, wayOut) {
  setText(byId('trouble-title'), title);
  setText(byId('trouble-advice'), advice);
  byId('trouble-retry').hidden = wayOut === 'token';
  byId('token-form').hidden = wayOut !== 'token';
  byId('trouble-command').hidden = wayOut !== 'start';
  byId('trouble').hidden = false;
}

/**
 * Shows standings as they come.
 * @param {() => void} retry tries again at once
 * @returns {(standing: Standing) => void}
 */
export function showStanding(retry) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let patience;
  setText(byId('trouble-line'), `wasipool-broker --http ${location.host}`);
  byId('trouble-retry').addEventListener('click', retry);
  byId('token-form').addEventListener('submit', (event) => {
    event.preventDefault();
    setToken(byId('token', HTMLInputElement).value.trim());
    retry();
  });

  return (standing) => {
    switch (standing.state) {
      case 'connecting':
        if (byId('trouble').hidden) say('Connecting …', '');
        break;
      case 'live':
        clearTimeout(patience);
        patience = undefined;
        byId('trouble').hidden = true;
        document.body.classList.remove('closed');
        say('Live', 'good');
        break;
      case 'over':
        clearTimeout(patience);
        say('Ended', '');
        break;
      case 'waiting': {
        say(`Trying again in ${duration(standing.inMs)}`, 'warn');
        if (standing.said) {
          patience ??= setTimeout(() => card('The broker has no room for this page', `${standing.why}. This page tries again by itself.`, 'retry'), PATIENCE_MS);
          break;
        }
        const advice = 'What stands below may be old. This page tries again by itself. If that doesn’t help, '
          + `look whether the broker can be reached at ${location.origin}, and start it if it doesn’t run:`;
        patience ??= setTimeout(() => card('The broker doesn’t answer', advice, 'start'), PATIENCE_MS);
        break;
      }
      case 'refused':
        clearTimeout(patience);
        patience = undefined;
        refused(standing.why);
        break;
    }
  };
}

/** @param {import('./api.js').Refusal} why */
function refused(why) {
  if (!why.wantsToken) {
    const missing = why.status === 404;
    say(missing ? 'Not found' : 'No connection', 'bad');
    card(missing ? 'There is no such thing' : 'The broker says no', `${why.message}.`, 'retry');
    return;
  }
  say('Not let in', 'bad');
  document.body.classList.add('closed');
  const had = token() !== '';
  setToken('');
  const advice = had
    ? `That token doesn’t open this page: ${why.message}. A token for submitting, or an administrator’s, does.`
    : 'Enter a token for submitting, or an administrator’s. It is kept in this tab only, and is gone when the tab is closed.';
  card(had ? 'The broker doesn’t take that token' : 'This pool asks for a token', advice, 'token');
  byId('token').focus();
}
