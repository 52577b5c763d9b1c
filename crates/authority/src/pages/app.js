// Copying, the one thing on these pages that needs a script. A button names what it copies: data-copy="id".
"use strict";
for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  const status = button.parentElement.querySelector("[role=status]");
  const words = button.textContent;
  let timer;
  if (!source || !navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    let said = "Copied";
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      getSelection().selectAllChildren(source);
      said = "Selected";
    }
    button.textContent = said;
    if (status) status.textContent = said;
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = words;
      if (status) status.textContent = "";
    }, 3000);
  });
}
