// Runs before the first paint, so that nobody who chose the dark is dazzled by the light.
try {
  const chosen = localStorage.getItem("highwater.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset["theme"] = chosen;
} catch {
  // Without storage, the system's theme it is.
}
