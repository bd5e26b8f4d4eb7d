// One choice of several that are named somewhere else, or all of them; nothing where there is nothing to choose.
interface Props {
  label: string;
  /** What it says while nothing is chosen. */
  all: string;
  options: [string, string][];
  value: string;
  onChange: (value: string | null) => void;
}

export function Choice({ label, all, options, value, onChange }: Props) {
  if (options.length === 0) return null;
  return (
    <label>
      <span class="unseen">{label}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value || null)}>
        <option value="">{all}</option>
        {options.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
        {value !== "" && !options.some(([key]) => key === value) && <option value={value}>{value}</option>}
      </select>
    </label>
  );
}

/** Every name once, in order, as its own text. */
export function names(all: (string | null)[]): [string, string][] {
  return [...new Set(all.filter((name) => name !== null))].sort().map((name) => [name, name]);
}
