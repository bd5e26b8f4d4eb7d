// Alerts: what is the matter, since when, and what to do.
import type { Alert } from "../answers";
import { useNow } from "../live";
import { group } from "../route";
import { ALERTS, ago } from "../words";
import { sentence } from "./frame";
import { SeverityWord } from "./state";

interface Props {
  alerts: (Alert & { cluster_name?: string })[];
  cluster?: string;
  /** Whether to name the group, which is left out on its own page. */
  named?: boolean;
}

export function Alerts({ alerts, cluster, named = true }: Props) {
  const now = useNow();
  return (
    <ul class="alerts">
      {alerts.map((alert) => (
        <li key={alert.id} class={alert.severity}>
          <div class="alert-head">
            <SeverityWord severity={alert.severity} />
            <strong>{ALERTS[alert.kind] ?? alert.kind}</strong>
            {named && <a href={group(alert.cluster_name ?? cluster ?? "", alert.group_id)}>{alert.group_id}</a>}
            <span class="faint since" title={alert.since}>
              began {ago(alert.since, now)}
            </span>
          </div>
          <p>{sentence(alert.summary)}</p>
          {alert.advice && <p class="advice">{sentence(alert.advice)}</p>}
          {alert.held && <p class="faint">The figure is of an earlier sample: the group is not Stable now.</p>}
        </li>
      ))}
    </ul>
  );
}
