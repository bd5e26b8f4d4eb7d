// The frame of the page: where one can go, how fresh the figures are, light or dark, and the view for the address.
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Cluster, List, LiveEvent } from "./answers";
import { type Answer, useList } from "./ask";
import { restart, seen, start, useLive, useNow } from "./live";
import { say } from "./parts/events";
import { Nothing, Pending, sentence } from "./parts/frame";
import { Heading } from "./parts/heading";
import { Theme } from "./parts/theme";
import { type Route, useRoute } from "./route";
import { AlertsView } from "./views/alerts";
import { GroupView } from "./views/group";
import { Groups } from "./views/groups";
import { Monitors, refused, silent } from "./views/monitors";
import { Overview } from "./views/overview";
import { SignIn, SignOut } from "./views/sign-in";
import { TopicView, Topics } from "./views/topics";
import { ago, duration, moment, plural } from "./words";

const TABS: [string, string][] = [
  ["", "Overview"],
  ["groups", "Groups"],
  ["topics", "Topics"],
  ["alerts", "Alerts"],
  ["monitors", "Monitors"],
];

function Page() {
  const here = useRoute();
  const now = useNow();
  // Of what a LagMonitor says of itself, no report tells: it is asked for now and then.
  const monitors = useList<Cluster>("api/v1/clusters", {}, Infinity, { most: 10_000 });
  // Who is not known any more sees nothing any more.
  const clusters = monitors.trouble?.status === 401 ? [] : (monitors.value?.items ?? []);
  clusters.forEach((cluster) => seen(cluster.generated_at));
  const stranger = monitors.trouble?.status === 401 ? monitors.trouble : null;
  const changed = () => {
    restart();
    monitors.again();
  };
  const main = useRef<HTMLElement>(null);
  const place = [here.view, ...here.parts].join("/");
  useArrival(main, place, here, alerts(clusters).all);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>
        Skip to the figures
      </a>
      <header class="top">
        <a class="brand" href="#/" aria-label="Highwater, overview">
          <Mark />
          <span>Highwater</span>
        </a>
        <nav class="tabs" aria-label="Views">
          {TABS.map(([view, name]) => (
            <a key={view} href={`#/${view}`} aria-current={here.view === view ? (here.parts.length ? "true" : "page") : undefined}>
              <Icon of={view} />
              {name}
              {view === "alerts" && <Badge clusters={clusters} />}
            </a>
          ))}
        </nav>
        <Freshness clusters={clusters} now={now} />
        <Theme />
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {!stranger && <Notices of={monitors} clusters={clusters} now={now} />}
        {stranger ? <SignIn reason={stranger.message} done={changed} /> : <View key={place} here={here} now={now} monitors={monitors} />}
      </main>
      <footer>
        <span>
          Ages are of the oldest record that a group has not read, with how far they may be off. <a href="docs">API</a> {!stranger && <SignOut done={changed} />}
        </span>
      </footer>
      <Announcer />
    </>
  );
}

/** On a new view the focus goes to its heading; not at the very first, which the browser reads. The title names it. */
function useArrival(main: { current: HTMLElement | null }, place: string, here: Route, alerts: number): void {
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) {
      scrollTo(0, 0);
      main.current?.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
    }
    first.current = false;
  }, [place]);
  useEffect(() => {
    const name = here.parts.at(-1) ?? TABS.find(([view]) => view === here.view)?.[1] ?? "Nothing here";
    document.title = `${alerts > 0 ? `(${alerts}) ` : ""}${name} · Highwater`;
  }, [place, alerts]);
}

function View({ here, now, monitors }: { here: Route; now: number; monitors: Answer<List<Cluster>> }) {
  const clusters = monitors.value?.items ?? [];
  const [first, second] = here.parts;
  if (here.view === "") return monitors.value ? <Overview now={now} clusters={clusters} /> : <First of={monitors} />;
  if (here.view === "groups" && first && second) return <GroupView cluster={first} id={second} now={now} />;
  if (here.view === "groups") return <Groups query={here.query} clusters={clusters} />;
  if (here.view === "topics" && first && second) return <TopicView cluster={first} name={second} />;
  if (here.view === "topics") return <Topics query={here.query} clusters={clusters} />;
  if (here.view === "alerts") return <AlertsView query={here.query} clusters={clusters} />;
  if (here.view === "monitors") return <Monitors of={monitors} now={now} />;
  return (
    <>
      <Heading>Nothing here</Heading>
      <Nothing title="There is no such view">
        <a href="#/">Go to the overview</a>
      </Nothing>
    </>
  );
}

function First({ of }: { of: Answer<List<Cluster>> }) {
  return (
    <>
      <Heading>Overview</Heading>
      <Pending of={of} what="overview" />
    </>
  );
}

function alerts(clusters: Cluster[]): { criticals: number; all: number } {
  const criticals = clusters.reduce((total, one) => total + (one.totals?.criticals ?? 0), 0);
  return { criticals, all: clusters.reduce((total, one) => total + (one.totals?.warnings ?? 0), criticals) };
}

/** How many alerts there are, beside the word. */
function Badge({ clusters }: { clusters: Cluster[] }) {
  const { criticals, all } = alerts(clusters);
  return all > 0 ? <span class={`badge ${criticals ? "critical" : ""}`}>{all}</span> : null;
}

/** How old the newest figures are, and whether new ones come by themselves. */
function Freshness({ clusters, now }: { clusters: Cluster[]; now: number }) {
  const { connected } = useLive();
  const times = clusters.flatMap((cluster) => cluster.last_sample ?? []).sort();
  const latest = times.at(-1);
  return (
    <p class={`freshness ${connected ? "live" : ""}`}>
      <i aria-hidden="true" />
      <span class="freshness-word">{connected ? "Live" : connected === false ? "Reconnecting" : "Connecting"}</span>
      {latest && <span class="faint">{ago(latest, now)}</span>}
    </p>
  );
}

/** What makes the figures less than they seem: no answer from Highwater, a silent cluster, samples that are overdue. */
function Notices({ of, clusters, now }: { of: Answer<List<Cluster>>; clusters: Cluster[]; now: number }) {
  const notices = clusters.flatMap((cluster) => {
    if (cluster.trouble) return [trouble(cluster, now)];
    const why = refused(cluster);
    if (why !== null) return [`LagMonitor ${cluster.namespace}/${cluster.monitor}: ${sentence(why)}`];
    if (silent(cluster, now) && cluster.last_sample) return [`${cluster.cluster_name}: no sample for ${duration((now - Date.parse(cluster.last_sample)) / 1000)}.`];
    return [];
  });
  const latest = clusters.flatMap((cluster) => cluster.last_sample ?? []).sort().at(-1);
  if (of.trouble && of.value) notices.unshift(`${of.trouble.message}${latest ? ` These figures are of ${moment(latest, now)}.` : ""}`);
  if (notices.length === 0) return null;
  return (
    <div class="notice" role="status">
      <p>{notices[0]}</p>
      {notices.length > 1 && (
        <p>
          <a href="#/monitors">{plural(notices.length - 1, "more monitor has", "more monitors have")} trouble</a>
        </p>
      )}
    </div>
  );
}

function trouble({ cluster_name: name, trouble, last_sample: last }: Cluster, now: number): string {
  return `${name}: ${trouble?.message ?? ""}. ${last ? `The last sample was ${ago(last, now)}.` : "There was no sample yet."}`;
}

const SPOKEN = new Set(["consumer.alert_started", "consumer.slo_violated", "cluster.silent"]);
const worthSaying = (event: LiveEvent) => SPOKEN.has(event.type) || (event.type === "consumer.state_changed" && event.to === "OFFLINE" && !event.topic);

/** Says aloud what an on-call would want to be told, and nothing else; once in ten seconds at most. */
function Announcer() {
  const { events } = useLive();
  const [text, say_] = useState("");
  const said = useRef({ at: 0, event: events[0] });
  useEffect(() => {
    const event = events.find(worthSaying);
    if (!event || event === said.current.event || Date.now() - said.current.at < 10_000) return;
    said.current = { at: Date.now(), event };
    say_(`${event.group_id ?? event.cluster_name}: ${say(event)}`);
  }, [events]);
  return (
    <p class="unseen" role="status">
      {text}
    </p>
  );
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path class="tide-line" d="M5 10h6m15 0h-9" />
      <path d="M5 18c3.700-3.400 7.300-3.400 11 0s7.300 3.400 11 0M5 24c3.700-3.400 7.300-3.400 11 0s7.300 3.400 11 0" />
    </svg>
  );
}

const ICONS: Record<string, string> = {
  "": "M3 10.500 12 3l9 7.500V20a1 1 0 0 1-1 1h-5v-6H9v6H4a1 1 0 0 1-1-1Z",
  groups: "M4 6h16M4 12h16M4 18h10",
  topics: "M4 7c0-3 16-3 16 0v10c0 3-16 3-16 0ZM4 7c0 3 16 3 16 0M4 12c0 3 16 3 16 0",
  alerts: "M6 17V11a6 6 0 0 1 12 0v6l1.500 2h-15ZM10 21h4",
  monitors: "M3 12h4l3-7 4 14 3-7h4",
};

function Icon({ of }: { of: string }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={ICONS[of]} />
    </svg>
  );
}

const root = document.getElementById("page");
if (root) {
  start();
  root.replaceChildren();
  render(<Page />, root);
}
