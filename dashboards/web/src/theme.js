// Puts the reader's choice of light or dark on the page before it is painted. Must never: fail where storage is barred.
"use strict";

(() => {
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch { /* The choice then lasts as long as the page. */ }
})();
