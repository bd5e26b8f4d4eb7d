// What happened since the page was opened, in sentences.
import type { LiveEvent } from "../answers";
import { group } from "../route";
import { duration, moment, plural } from "../words";

export function say(event: LiveEvent): string {
  switch (event.type) {
    case "consumer.rebalanced":
      return `rebalanced: ${plural(event.joined ?? 0, "member")} joined, ${event.left ?? 0} left, ${event.members ?? 0} now`;
    case "consumer.member_joined":
      return `${event.client_id} joined from ${event.host}`;
    case "consumer.member_left":
      return `${event.client_id} left`;
    case "consumer.state_changed":
      return `${event.topic ? `on ${event.topic} ` : ""}went from ${event.from ?? "nothing"} to ${event.to ?? "nothing"}`;
    case "consumer.group_state_changed":
      return `Kafka’s state went from ${event.from ?? "unknown"} to ${event.to ?? "unknown"}`;
    case "consumer.lag_spike":
      return `age jumped${event.topic ? ` on ${event.topic}` : ""} from ${duration(event.from_seconds)} to ${duration(event.to_seconds)}`;
    case "consumer.slo_violated":
      return "objective missed";
    case "consumer.slo_restored":
      return "objective met again";
    case "consumer.alert_started":
      return `alert began: ${event.alert?.summary ?? ""}`;
    case "consumer.alert_ended":
      return `alert ended: ${event.alert?.summary ?? ""}`;
    case "consumer.gone":
      return "is no longer in the report";
    case "consumer.back":
      return "is in the report again";
    case "cluster.silent":
      return `cluster ${event.cluster_name} does not answer: ${event.message ?? event.reason ?? ""}`;
    case "cluster.answers":
      return `cluster ${event.cluster_name} answers again`;
    default:
      return event.type;
  }
}

export function Events({ events, now, named = true }: { events: LiveEvent[]; now: number; named?: boolean }) {
  return (
    <ol class="events">
      {events.map((event, n) => (
        <li key={`${event.time}${event.type}${event.group_id ?? ""}${events.length - n}`}>
          <time dateTime={event.time}>{moment(event.time, now)}</time>
          <span>
            {named && event.group_id && (
              <>
                <a href={group(event.cluster_name, event.group_id)}>{event.group_id}</a>{" "}
              </>
            )}
            {say(event)}
          </span>
        </li>
      ))}
    </ol>
  );
}
