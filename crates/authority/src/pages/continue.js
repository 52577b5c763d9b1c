// After the frames of a front-channel logout have loaded, or five seconds, goes where the application asked for.
"use strict";
const onward = () => {
  clearTimeout(patience);
  location.replace(document.getElementById("continue").href);
};
const patience = setTimeout(onward, 5000);
addEventListener("load", onward, { once: true });
