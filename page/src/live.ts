// What Highwater says by itself: one stream of all reports and events for the whole page, and one of the group that is
// looked at. While the page is hidden both rest. Where streams do not get through, the page asks every ten seconds.
import { useEffect, useState } from "preact/hooks";
import type { Group, LiveEvent } from "./answers";
import { address } from "./ask";

const POLL = 10_000;
const KEEP = 50;

type Listener = () => void;
const onNews = new Set<Listener>();
const onChange = new Set<Listener>();

/** Whether the stream is up; null before it first was. */
let connected: boolean | null = null;
let events: LiveEvent[] = [];
/** How far the server's clock is from this device's, and that of the figures from the server's, in milliseconds. */
let [skew, lead] = [0, 0];
let source: EventSource | null = null;

/** Calls back when there is a new report, or may be. */
export function news(listener: Listener): () => void {
  onNews.add(listener);
  return () => void onNews.delete(listener);
}

const tell = (listeners: Set<Listener>) => listeners.forEach((listener) => listener());

/** The server's time of an answer: a phone's clock may be off by minutes. The header has whole seconds. */
export function heard(date: string | null): void {
  const off = (date ? Date.parse(date) : NaN) - Date.now();
  const before = skew;
  skew = Math.abs(off) > 2000 ? off : 0;
  // A lead that was taken by another clock would count the difference twice.
  if (Math.abs(skew - before) > 2000) lead = 0;
}

/** A time that a report carries is never in the future: a demo's clock may run faster than any other. */
export function seen(time: string | null | undefined): void {
  if (time) lead = Math.max(lead, Date.parse(time) - Date.now() - skew);
}

export const now = () => Date.now() + skew + lead;

function receive(message: MessageEvent<string>): void {
  const event = JSON.parse(message.data) as LiveEvent;
  seen(event.generated_at ?? event.time);
  if (event.type !== "report") {
    events = [event, ...events].slice(0, KEEP);
    tell(onChange);
  }
  tell(onNews);
}

const TYPES = [
  "report",
  "consumer.rebalanced",
  "consumer.member_joined",
  "consumer.member_left",
  "consumer.state_changed",
  "consumer.group_state_changed",
  "consumer.lag_spike",
  "consumer.slo_violated",
  "consumer.slo_restored",
  "consumer.alert_started",
  "consumer.alert_ended",
  "consumer.gone",
  "consumer.back",
  "cluster.silent",
  "cluster.answers",
];

function open(): void {
  if (source || document.hidden) return;
  source = new EventSource(address("api/v1/live"));
  TYPES.forEach((type) => source?.addEventListener(type, receive as (event: Event) => void));
  source.onopen = () => mark(true);
  source.onerror = () => {
    mark(false);
    // A refusal closes it for good; a lost connection is taken up again by the browser itself.
    if (source?.readyState === EventSource.CLOSED) {
      source = null;
      setTimeout(open, POLL);
    }
  };
}

function close(): void {
  source?.close();
  source = null;
}

function mark(up: boolean): void {
  if (connected === up) return;
  connected = up;
  tell(onChange);
  if (up) tell(onNews);
}

/** Opens the stream anew: somebody else looks from now on. */
export function restart(): void {
  close();
  events = [];
  open();
}

export function start(): void {
  open();
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  setInterval(() => {
    if (!document.hidden && !connected) tell(onNews);
  }, POLL);
}

/** Whether the stream is up, and what it told since the page was opened, the latest first. */
export function useLive(): { connected: boolean | null; events: LiveEvent[] } {
  const [, set] = useState(0);
  useEffect(() => {
    const changed = () => set((n) => n + 1);
    onChange.add(changed);
    return () => void onChange.delete(changed);
  }, []);
  return { connected, events };
}

/** The time, once a second. */
export function useNow(): number {
  const [time, set] = useState(now());
  useEffect(() => {
    const timer = setInterval(() => set(now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return time;
}

/** One group over its WebSocket: the newest snapshot, as long as it comes. */
export function useGroup(cluster: string, id: string): { group: Group | null; gone: boolean } {
  const [state, set] = useState<{ key: string; group: Group | null; gone: boolean }>({ key: "", group: null, gone: false });
  const key = `${cluster}/${id}`;
  useEffect(() => {
    let socket: WebSocket | null = null;
    let timer = 0;
    const begin = () => {
      if (document.hidden || socket) return;
      const url = address(`ws/consumers/groups/${encodeURIComponent(id)}/live`, { cluster_id: cluster });
      socket = new WebSocket(url.replace(/^http/, "ws"));
      socket.onmessage = (message: MessageEvent<string>) => {
        const event = JSON.parse(message.data) as LiveEvent;
        if (event.type !== "snapshot") return;
        seen(event.generated_at);
        set((old) => ({ key, group: event.group ?? (old.key === key ? old.group : null), gone: event.group === null }));
      };
      socket.onclose = () => {
        socket = null;
        // What is asked for is newer from now on.
        set((old) => ({ ...old, group: null }));
        if (!document.hidden) timer = window.setTimeout(begin, POLL);
      };
    };
    const end = () => {
      clearTimeout(timer);
      if (!socket) return;
      const left = socket;
      socket = left.onmessage = left.onclose = null;
      // A console complains of one that is closed before it was open.
      if (left.readyState === WebSocket.CONNECTING) left.onopen = () => left.close();
      else left.close();
    };
    const turn = () => (document.hidden ? end() : begin());
    begin();
    document.addEventListener("visibilitychange", turn);
    return () => {
      document.removeEventListener("visibilitychange", turn);
      end();
    };
  }, [key]);
  return state.key === key ? state : { group: null, gone: false };
}
