// Groups by state: ours, and beside it Kafka's own.
import type { State, Totals } from "../answers";
import { to } from "../route";
import { compact, count } from "../words";
import { Figures } from "./frame";
import { StateWord } from "./state";

const STATES: State[] = ["OFFLINE", "RECOVERING", "ONLINE"];

const counted = (totals: Totals): Record<State, number> => ({ OFFLINE: totals.offline, RECOVERING: totals.recovering, ONLINE: totals.online });

/** The states of groups as parts of one bar; the words beside it say the same. */
export function Stack({ totals }: { totals: Totals }) {
  const counts = counted(totals);
  const rest = totals.groups - totals.offline - totals.recovering - totals.online;
  return (
    <span class="stack" aria-hidden="true">
      {STATES.map((state) => counts[state] > 0 && <span key={state} class={state.toLowerCase()} style={{ flexGrow: counts[state] }} />)}
      {rest > 0 && <span class="unknown" style={{ flexGrow: rest }} />}
    </span>
  );
}

export function States({ totals }: { totals: Totals }) {
  const counts = counted(totals);
  const rest = totals.groups - totals.offline - totals.recovering - totals.online;
  return (
    <>
      <Stack totals={totals} />
      <ul class="states">
        {STATES.map((state) => (
          <li key={state}>
            <a href={to("groups", [], { state })}>
              <span class="states-count">{count(counts[state])}</span>
              <StateWord state={state} />
            </a>
          </li>
        ))}
        {rest > 0 && (
          <li>
            <span class="states-count">{count(rest)}</span>
            <StateWord state={null} />
          </li>
        )}
      </ul>
      <Kafkas totals={totals} />
      <Figures
        class="three"
        of={[
          ["Records not read", <span title={count(totals.total_lag_records)}>{compact(totals.total_lag_records)}</span>],
          ["Members", count(totals.members)],
          ["Stuck partitions", count(totals.stuck_partitions)],
        ]}
      />
    </>
  );
}

function Kafkas({ totals }: { totals: Totals }) {
  const { stable, rebalancing, empty, other } = totals.group_states;
  const link = (kafka: string, number: number) => (number > 0 ? <a href={to("groups", [], { kafka })}>{count(number)}</a> : count(number));
  return (
    <>
      <h3>As Kafka has them</h3>
      <Figures
        class="kafkas"
        of={[
          ["Stable", link("Stable", stable)],
          ["Rebalancing", count(rebalancing)],
          ["Empty", link("Empty", empty)],
          ["Other", count(other)],
        ]}
      />
    </>
  );
}
