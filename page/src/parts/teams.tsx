// Teams, each with the groups of its LagMonitors together.
import type { Team } from "../answers";
import { to } from "../route";
import { compact, count, percent, plural } from "../words";
import { Age } from "./age";
import { Shape, Verdict } from "./state";
import { Stack } from "./totals";

export function Teams({ teams, total }: { teams: Team[]; total: number }) {
  return (
    <>
      <table class="groups teams">
        <thead>
          <tr>
            <th scope="col">Team</th>
            <th scope="col">Groups</th>
            <th scope="col" class="right">Age</th>
            <th scope="col" class="right">Lag</th>
            <th scope="col" class="right">Objective</th>
          </tr>
        </thead>
        <tbody>
          {teams.map((one) => (
            <Row key={one.team ?? ""} of={one} />
          ))}
        </tbody>
      </table>
      {total > teams.length && <p class="faint">and {plural(total - teams.length, "more team", "more teams")}, with less old data</p>}
    </>
  );
}

function Row({ of: { team, totals } }: { of: Team }) {
  const alerts = totals.warnings + totals.criticals;
  const states = `${totals.offline} OFFLINE, ${totals.recovering} RECOVERING, ${totals.online} ONLINE`;
  return (
    <tr>
      <th scope="row" class="cell-group">
        {team === null ? <span class="faint">without a team</span> : <a href={to("groups", [], { team })}>{team}</a>}
        {alerts > 0 && (
          <span class={`state ${totals.criticals ? "offline" : "recovering"} count`}>
            <Shape of={totals.criticals ? "critical" : "warning"} />
            {alerts}
            <span class="unseen"> {alerts === 1 ? "alert" : "alerts"}</span>
          </span>
        )}
      </th>
      <td class="cell-states" title={states}>
        <span class="cell-count">{count(totals.groups)}</span>
        <Stack totals={totals} />
        <span class="unseen">: {states}</span>
      </td>
      <td class="cell-age right">
        <Age seconds={totals.max_lag_seconds} bound={undefined} />
      </td>
      <td class="cell-lag right" data-label="Lag">
        {compact(totals.total_lag_records)}
      </td>
      <td class="cell-slo right" data-label="Objective">
        {totals.slo && totals.slo.compliance !== null ? <Verdict good={totals.slo.met} figure={percent(totals.slo.compliance)} /> : "–"}
      </td>
    </tr>
  );
}
