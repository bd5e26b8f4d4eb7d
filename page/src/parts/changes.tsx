// When the members of a group changed, and how: who came, who left, or only who has what.
import type { Membership } from "../answers";
import { now } from "../live";
import { count, moment, plural } from "../words";

/** Members that are written out. */
const NAMES = 3;

export function Changes({ of }: { of: Membership[] }) {
  // The first one is how it was at the beginning.
  const changes = of.slice(1).map((after, at) => ({ time: after.time, text: told(of[at] as Membership, after) })).reverse();
  if (changes.length === 0) return null;
  return (
    <details class="changes">
      <summary>{plural(changes.length, "change")} of members or assignments, the last {moment(changes[0]?.time ?? "", now())}</summary>
      <ol reversed>
        {changes.map((change) => (
          <li key={change.time}>
            <time dateTime={change.time}>{moment(change.time, now())}</time> {change.text}
          </li>
        ))}
      </ol>
    </details>
  );
}

/** What became of the members between two looks. */
export function told(before: Membership, after: Membership): string {
  const [old, young] = [before, after].map((at) => new Set(at.members.map((member) => member.member_id))) as [Set<string>, Set<string>];
  const came = [...young].filter((id) => !old.has(id));
  const left = [...old].filter((id) => !young.has(id));
  const parts = [came.length > 0 && `joined: ${listed(came)}`, left.length > 0 && `left: ${listed(left)}`].filter(Boolean);
  return `${parts.length > 0 ? parts.join("; ") : "partitions moved between members"}; ${plural(young.size, "member")}`;
}

function listed(ids: string[]): string {
  const shown = ids.slice(0, NAMES).join(", ");
  return ids.length > NAMES ? `${shown} and ${count(ids.length - NAMES)} more` : shown;
}
