// Answers an application that frames this page: is its session still this browser's?
"use strict";
const cookie = document.currentScript.dataset.cookie + "=";
addEventListener("message", (event) => {
  if (!event.source || event.source === window || event.origin === "null") return;
  const parts = typeof event.data === "string" ? event.data.split(" ") : [];
  let answer = "error";
  if (parts.length === 2 && parts[0] && parts[1]) {
    const kept = document.cookie.split("; ").find((pair) => pair.startsWith(cookie));
    const sessions = kept ? kept.slice(cookie.length).split(".") : [];
    answer = sessions.includes(parts[1]) ? "unchanged" : "changed";
  }
  event.source.postMessage(answer, event.origin);
});
