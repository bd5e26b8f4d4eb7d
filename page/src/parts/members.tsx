// The members of a group and how many partitions each has.
import type { Group, Member } from "../answers";
import { decimal, percent, plural } from "../words";
import { Bar, Nothing } from "./frame";

const SHOWN = 24;

const share = (member: Member) => member.assigned.reduce((total, one) => total + one.partitions.length, 0);

export function Members({ group }: { group: Group }) {
  if (group.members === null) return <Nothing title="Members are not known">Kafka could not be asked for the members of this group.</Nothing>;
  if (group.members.length === 0) return <Nothing title="No members">Nobody reads in this group now; its data keeps ageing.</Nothing>;
  const members = group.members.map((member) => ({ member, share: share(member) })).sort((a, b) => b.share - a.share);
  const total = members.reduce((sum, one) => sum + one.share, 0);
  const most = Math.max(1, ...members.map((one) => one.share));
  return (
    <>
      <ul class="members">
        {members.slice(0, SHOWN).map(({ member, share }) => (
          <li key={member.member_id}>
            <span class="member-name" title={member.member_id}>
              {member.client_id || member.member_id}
              <span class="sub">{member.host}</span>
            </span>
            <Bar share={share / most} kind={share === 0 ? "offline" : ""} />
            <span class="member-share" title={member.assigned.map((one) => `${one.topic}: ${one.partitions.join(", ")}`).join("\n")}>
              {share === 0 ? "idle" : plural(share, "partition")}
              {total > 0 && share > 0 && <span class="faint"> {percent(share / total)}</span>}
            </span>
          </li>
        ))}
      </ul>
      {members.length > SHOWN && <p class="faint">and {plural(members.length - SHOWN, "more member", "more members")}</p>}
      {group.fairness && (
        <p class="faint">
          Gini coefficient {decimal(group.fairness.gini)}; {group.fairness.excess > 0.005 ? `${decimal(group.fairness.excess)} over` : "as"} the most even split.
          {group.fairness.idle_members > 0 && ` ${plural(group.fairness.idle_members, "member has", "members have")} no partition.`}
        </p>
      )}
    </>
  );
}
