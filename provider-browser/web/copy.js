// @ts-check
// A button that copies what stands in an element: `data-copies="id"`.

const SHOWN_MS = 1_500;

/** @param {ParentNode} root brings all such buttons below it to life */
export function copyButtons(root) {
  for (const button of root.querySelectorAll('button[data-copies]')) {
    button.addEventListener('click', () => copy(/** @type {HTMLButtonElement} */ (button)));
  }
}

/** @param {HTMLButtonElement} button */
async function copy(button) {
  const source = document.getElementById(button.dataset.copies ?? '');
  let said = 'Copied';
  try {
    await navigator.clipboard.writeText(source?.textContent ?? '');
  } catch {
    // No clipboard here (http from another machine): it is marked to be copied.
    if (source) getSelection()?.selectAllChildren(source);
    said = 'Press Ctrl+C';
  }
  button.textContent = said;
  setTimeout(() => { button.textContent = 'Copy'; }, SHOWN_MS);
}
