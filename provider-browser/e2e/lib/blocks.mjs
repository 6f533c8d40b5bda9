// Commands that a document shows, with what they print: a block of `sh` after the
// line `<!-- run -->`, and a block of `text` after `<!-- output -->`. In the
// latter `…` stands for anything on its line, a line of nothing else for any lines.

/** @typedef {{ line: number, script: string, output?: string }} Block */

/**
 * The blocks that are marked, in order.
 * @param {string} markdown
 * @returns {Block[]}
 */
export function blocks(markdown) {
  const lines = markdown.split('\n').map((line) => line.trimEnd());
  /** @type {Block[]} */
  const found = [];
  for (let at = 0; at < lines.length; at += 1) {
    const mark = lines[at];
    if (mark !== '<!-- run -->' && mark !== '<!-- output -->') continue;
    const fence = mark === '<!-- run -->' ? '```sh' : '```text';
    let begin = at + 1;
    while (lines[begin] === '') begin += 1;
    const end = lines.indexOf('```', begin + 1);
    if (lines[begin] !== fence || end < 0) throw new Error(`line ${at + 1}: no ${fence} after ${mark}`);
    const content = lines.slice(begin + 1, end).join('\n');
    if (fence === '```sh') found.push({ line: begin + 1, script: content });
    else {
      const last = found.at(-1);
      if (!last || last.output !== undefined) throw new Error(`line ${at + 1}: output of no commands`);
      last.output = content;
    }
    at = end;
  }
  return found;
}

/** @param {string} shown @param {string} line */
function lineMatches(shown, line) {
  const parts = shown.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(line);
}

/** @param {string[]} shown @param {string[]} lines */
function linesMatch(shown, lines) {
  if (shown.length === 0) return lines.length === 0;
  const [first, ...rest] = shown;
  if (first === '…') return lines.concat('').some((_, skipped) => linesMatch(rest, lines.slice(skipped)));
  return lines.length > 0 && lineMatches(first, lines[0]) && linesMatch(rest, lines.slice(1));
}

/** Whether `output` is as `shown`, spaces at the ends of lines aside. */
export function matches(/** @type {string} */ shown, /** @type {string} */ output) {
  const split = (/** @type {string} */ text) => (text.trim() ? text.trim().split('\n').map((line) => line.trim()) : []);
  return linesMatch(split(shown), split(output));
}
