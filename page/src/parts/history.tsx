// The history of a group: which span of time, age or records, all topics or one.
import { useState } from "preact/hooks";
import type { Group, History as Answer } from "../answers";
import { address, useAnswer } from "../ask";
import { now } from "../live";
import { Changes } from "./changes";
import { Chart } from "./chart";
import { Nothing, Pending, Section } from "./frame";
import { Segments } from "./segments";

type Span = "1h" | "6h" | "1d" | "7d" | "all";
const SECONDS: Record<Span, number | null> = { "1h": 3600, "6h": 21_600, "1d": 86_400, "7d": 604_800, all: null };

interface Props {
  cluster: string;
  id: string;
  /** Not there yet while its own answer is on the way; the history does not wait for it. */
  group: Group | null;
}

export function History({ cluster, id, group }: Props) {
  const [span, setSpan] = useState<Span>("all");
  const [what, setWhat] = useState<"age" | "records">("age");
  const [topic, setTopic] = useState("");
  const seconds = SECONDS[span];
  // Whole minutes, so that the address stays the same for a while and the answer may come from the cache.
  const end = Math.floor((group ? Date.parse(group.generated_at) : now()) / 60_000) * 60;
  const topics = group?.topics ?? [];
  const answer = useAnswer<Answer>(
    address(`api/v1/consumers/groups/${encodeURIComponent(id)}/history`, {
      cluster_id: cluster,
      from: seconds && end - seconds,
    }),
    { every: 2000 },
  );
  const history = answer.value;
  // A topic of which nothing is kept has no line: that of the group would say something else.
  const points = (topic ? history?.topics.find((one) => one.topic === topic)?.points : history?.points) ?? [];
  const limits = topics.filter((one) => !topic || one.topic === topic).map((one) => (what === "age" ? one.slo?.max_lag_seconds : one.slo?.max_lag_records));
  // One line for limits that are all the same; a limit of records is one of each partition, and no sum stands against it.
  const limit = what === "age" && new Set(limits).size === 1 ? (limits[0] ?? null) : null;
  return (
    <Section
      title={what === "age" ? "Age over time" : "Records not read"}
      id="history"
      aside={
        <>
          {topics.length > 1 && (
            <label>
              <span class="unseen">Topic</span>
              <select value={topic} onChange={(event) => setTopic(event.currentTarget.value)}>
                <option value="">All topics</option>
                {topics.map((one) => (
                  <option key={one.topic}>{one.topic}</option>
                ))}
              </select>
            </label>
          )}
          <Segments label="Figure" value={what} onChange={setWhat} options={[["age", "Age"], ["records", "Records"]]} />
          <Segments label="Span" value={span} onChange={setSpan} options={[["1h", "1 h"], ["6h", "6 h"], ["1d", "1 d"], ["7d", "7 d"], ["all", "All"]]} />
        </>
      }
    >
      <Pending of={answer} what="history" />
      {history && points.length === 0 && <Nothing title={topic ? `No samples of ${topic} in this span` : "No samples in this span"}>A sample is kept each time Highwater looks; choose a longer span, or wait for the next one.</Nothing>}
      {history && points.length > 0 && (
        <Chart points={points} step={history.step_seconds} from={Date.parse(history.from)} to={Date.parse(history.to)} what={what} limit={limit} />
      )}
      {history && <Changes of={history.memberships} />}
    </Section>
  );
}
