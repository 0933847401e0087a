// Says that a file is too large before it is sent, so that what was typed beside it is not lost with the answer.
//
// Must never: be the only one who refuses it; the server does so as well.

export function limitFiles() {
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (!(input instanceof HTMLInputElement) || input.type !== "file" || !input.dataset.bytesMax) return;
    const most = Number(input.dataset.bytesMax);
    const large = [...input.files].some((file) => file.size > most);
    input.setCustomValidity(large ? input.dataset.tooLarge : "");
    if (large) input.reportValidity();
  });
}
