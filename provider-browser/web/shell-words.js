// @ts-check
// Words as a POSIX shell has them: quoted, and taken apart again.

/** Characters that mean nothing to a shell. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/**
 * A text as one word of a shell command, whatever is in it.
 * @param {string} text
 */
export function quote(text) {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The words of a line: blanks part them, quotes and backslashes keep them
 * together. Nothing is expanded.
 * @param {string} line
 * @returns {string[]}
 * @throws {Error} if a quote has no end
 */
export function splitWords(line) {
  const words = [];
  /** @type {string | undefined} */
  let word;
  let at = 0;
  while (at < line.length) {
    const character = line[at] ?? '';
    at += 1;
    if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === "'") {
      const end = line.indexOf("'", at);
      if (end < 0) throw new Error("a ' has no end");
      word = (word ?? '') + line.slice(at, end);
      at = end + 1;
    } else if (character === '"') {
      word ??= '';
      for (;;) {
        const inside = line[at];
        if (inside === undefined) throw new Error('a " has no end');
        at += 1;
        if (inside === '"') break;
        // Within double quotes a backslash takes the meaning of these only.
        const next = line[at];
        if (inside === '\\' && next !== undefined && '"\\$`'.includes(next)) {
          word += next;
          at += 1;
        } else word += inside;
      }
    } else if (character === '\\') {
      const next = line[at];
      if (next === undefined) throw new Error('a \\ at the end has nothing to keep');
      word = (word ?? '') + next;
      at += 1;
    } else word = (word ?? '') + character;
  }
  if (word !== undefined) words.push(word);
  return words;
}
