/** Forms with `data-auto-submit` send themselves when a choice in them changes. Their button is only for browsers
 *  without JavaScript, so it is hidden. */

for (const form of document.querySelectorAll("form[data-auto-submit]")) {
  form.addEventListener("change", (event) => {
    if (form.reportValidity() && event.target.name) form.requestSubmit();
  });
  for (const button of form.querySelectorAll("button[type=submit][data-hide]")) button.hidden = true;
}
