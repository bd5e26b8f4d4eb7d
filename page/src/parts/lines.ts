// The ages of groups over time, for the rows that are shown: few at a time, however many groups there are.
import { useEffect, useRef, useState } from "preact/hooks";
import type { GroupRow, Point, Sparklines } from "../answers";
import { address, ask } from "../ask";

/** How long a line may stay as it is, in milliseconds; one that is no line yet grows into one soon. */
const FRESH = 15_000;
const YOUNG = 2000;
/** Some proxies take no longer address than 8 KiB. */
const LONGEST = 4000;

export interface Lines {
  of: Map<string, Point[]>;
  /** The time that all of them span. */
  from: number;
  to: number;
}

const NONE: Lines = { of: new Map(), from: Infinity, to: -Infinity };

export const lineOf = (row: { cluster_name: string; group_id: string }) => `${row.cluster_name}/${row.group_id}`;

/** The lines of these groups: those that are new are asked for at once, the others when they are no longer fresh. */
export function useLines(rows: GroupRow[]): Lines {
  const [lines, set] = useState(NONE);
  const asked = useRef(new Map<string, number>());
  useEffect(() => {
    const fresh = (row: GroupRow) => ((lines.of.get(lineOf(row))?.length ?? 0) > 1 ? FRESH : YOUNG);
    const due = rows.filter((row) => Date.now() - (asked.current.get(lineOf(row)) ?? 0) > fresh(row));
    due.forEach((row) => asked.current.set(lineOf(row), Date.now()));
    for (const some of chunks(due)) {
      const ids = [...new Set(some.map((row) => row.group_id))];
      ask<Sparklines>(address("api/v1/consumers/history", { group_id: ids, limit: 1000 })).then(
        (answer) => set((old) => joined(old, answer)),
        // Without its line a row says what it says; the next report is another occasion.
        () => some.forEach((row) => asked.current.delete(lineOf(row))),
      );
    }
  }, [rows]);
  return lines;
}

function joined(old: Lines, answer: Sparklines): Lines {
  const of = new Map(old.of);
  for (const group of answer.groups) of.set(lineOf(group), group.points);
  return { of, from: Math.min(old.from, Date.parse(answer.from)), to: Math.max(old.to, Date.parse(answer.to)) };
}

function chunks(rows: GroupRow[]): GroupRow[][] {
  const all: GroupRow[][] = [];
  let [last, length] = [[] as GroupRow[], Infinity];
  for (const row of rows) {
    const more = encodeURIComponent(row.group_id).length + "&group_id=".length;
    if (length + more > LONGEST) {
      [last, length] = [[], 0];
      all.push(last);
    }
    last.push(row);
    length += more;
  }
  return all;
}
