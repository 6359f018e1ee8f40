/* Names that a screen reader speaks must be those that the eye reads; the theme's own differ in three places. */
document.addEventListener("DOMContentLoaded", () => {
  for (const control of document.querySelectorAll(".search-button-field, details > summary[aria-label]"))
    control.removeAttribute("aria-label");
  for (const list of document.querySelectorAll(".citation-list[role]")) list.removeAttribute("role");
});
