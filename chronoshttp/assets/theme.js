// Before anything is drawn: the theme that was chosen here, if one was.
(() => {
  let theme = 'auto';
  try { theme = localStorage.getItem('chronos-theme') || 'auto'; } catch { /* storage may be barred */ }
  document.documentElement.dataset.theme = theme;
})();
