// Light, dark, or as the system has it; remembered on this device.
import { useState } from "preact/hooks";

type Choice = "" | "light" | "dark";
const NEXT: Record<Choice, Choice> = { "": "light", light: "dark", dark: "" };
const NAMES: Record<Choice, string> = { "": "Auto", light: "Light", dark: "Dark" };
const PATHS: Record<Choice, string> = {
  "": "M12 4a8 8 0 1 0 0 16ZM12 4a8 8 0 1 1 0 16Z",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2v2.500M12 19.500V22M2 12h2.500M19.500 12H22M5 5l1.700 1.700M17.300 17.300 19 19M5 19l1.700-1.700M17.300 6.700 19 5",
  dark: "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500Z",
};

export function Theme() {
  const [choice, set] = useState<Choice>((document.documentElement.dataset["theme"] as Choice | undefined) ?? "");
  const turn = () => {
    const next = NEXT[choice];
    if (next) document.documentElement.dataset["theme"] = next;
    else delete document.documentElement.dataset["theme"];
    try {
      localStorage.setItem("highwater.theme", next);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    set(next);
  };
  return (
    <button type="button" class="theme" onClick={turn} title={`Theme: ${NAMES[choice]}`}>
      <svg class={`icon ${choice === "" ? "half" : ""}`} viewBox="0 0 24 24" aria-hidden="true">
        <path d={PATHS[choice]} />
      </svg>
      <span class="unseen">Theme: {NAMES[choice]}. Change to {NAMES[NEXT[choice]]}</span>
    </button>
  );
}
