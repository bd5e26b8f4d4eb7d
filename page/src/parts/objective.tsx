// A group against its objective: compliance, what is left of the error budget, and how fast it burns.
import type { Budget, Group, Slo } from "../answers";
import { DASH, ago, count, duration, percent, plural, span } from "../words";
import { Bar, Figures } from "./frame";
import { Verdict } from "./state";

/** How many partitions are within their limits, beside how many should be; what is not known counts as neither. */
export function Compliance({ slo, of = "" }: { slo: Slo | null; of?: string }) {
  if (!slo || slo.compliance === null) return <p class="faint">No partition can be judged yet.</p>;
  return (
    <>
      <p class="compliance">
        <span class="number">{percent(slo.compliance)}</span>
        <span class="faint">of partitions within their limits; {percent(slo.target)} wanted{of}</span>
        <Verdict good={slo.met} />
      </p>
      <Bar share={slo.compliance} mark={slo.target} kind={slo.met === false ? "offline" : "online"} />
      <p class="faint">
        {count(slo.within)} within, {count(slo.breaching)} over{slo.unknown > 0 ? `, ${count(slo.unknown)} not known` : ""}
        {slo.without_commit > 0 ? `; ${plural(slo.without_commit, "partition has", "partitions have")} a member and no committed offset` : ""}
      </p>
    </>
  );
}

export function Objective({ group: { slo } }: { group: Group }) {
  return (
    <>
      <Compliance slo={slo} />
      {slo?.budget && <Spent budget={slo.budget} />}
    </>
  );
}

function Spent({ budget }: { budget: Budget }) {
  const left = budget.remaining;
  const burn = (rate: number | null) => (rate === null ? DASH : `${rate.toFixed(rate < 10 ? 1 : 0)}×`);
  return (
    <>
      <h3>Error budget</h3>
      {left === null ? (
        <p class="faint">A target of 100 % has no error budget.</p>
      ) : (
        <>
          <p class="compliance">
            <span class="number">{left < 0 ? `−${percent(-left)}` : percent(left)}</span>
            <span class="faint">
              {left < 0 ? "overspent" : "left"} of {span(budget.period_seconds)}, of which {duration(budget.observed_seconds)} were observed
            </span>
          </p>
          <Bar share={left} kind={left <= 0 ? "offline" : left < 0.25 ? "recovering" : "online"} />
        </>
      )}
      <Figures
        of={[
          ["Burn rate, 5 m", burn(budget.burn_rate_5m)],
          ["1 h", burn(budget.burn_rate_1h)],
          ["6 h", burn(budget.burn_rate_6h)],
          ["3 d", burn(budget.burn_rate_3d)],
        ]}
      />
    </>
  );
}

/** How stable the group is. */
export function Stability({ group, now }: { group: Group; now: number }) {
  const { rebalances } = group;
  if (!rebalances) return <p class="faint">Rebalances are not counted yet.</p>;
  return (
    <>
      <p class="compliance">
        <span class="number">{rebalances.score === null ? DASH : Math.round(rebalances.score)}</span>
        <span class="faint">
          {rebalances.score === null ? `known after ${span(rebalances.window_seconds)} of watching` : `of 100 for stability; ${count(rebalances.target)} wanted`}
        </span>
        {rebalances.score !== null && <Verdict good={rebalances.score >= rebalances.target} />}
      </p>
      {rebalances.score !== null && <Bar share={rebalances.score / 100} mark={rebalances.target / 100} kind={rebalances.score < rebalances.target ? "recovering" : "online"} />}
      <p class="faint">
        {rebalances.count === 0 ? "No rebalance" : `At least ${rebalances.count} ${rebalances.count === 1 ? "rebalance" : "rebalances"}`} in {span(rebalances.window_seconds)}
        {rebalances.last && `, the last ${ago(rebalances.last, now)}`}.
      </p>
    </>
  );
}
