// What the API answers: the shapes of the report, as `highwater schema` and /openapi.json describe them.
// Unknown is null; seconds are decimal; shares are 0 to 1; times are RFC 3339 in UTC.

export type State = "ONLINE" | "RECOVERING" | "OFFLINE";
export type Trend = "growing" | "steady" | "shrinking";
export type Method = "caught_up" | "record" | "interpolated" | "at_least" | "no_commit";
export type Clock = "append" | "producer";
export type Severity = "warning" | "critical";

export interface Budget {
  period_seconds: number;
  observed_seconds: number;
  remaining: number | null;
  burn_rate_5m: number | null;
  burn_rate_30m: number | null;
  burn_rate_1h: number | null;
  burn_rate_6h: number | null;
  burn_rate_3d: number | null;
}

export interface Slo {
  compliance: number | null;
  target: number;
  met: boolean | null;
  within: number;
  breaching: number;
  unknown: number;
  without_commit: number;
  budget: Budget | null;
}

export interface TopicSlo {
  compliance: number | null;
  met: boolean | null;
  within: number;
  breaching: number;
  unknown: number;
  without_commit: number;
  max_lag_records: number;
  max_lag_seconds: number | null;
}

export interface Rebalances {
  score: number | null;
  target: number;
  count: number;
  window_seconds: number;
  last: string | null;
}

export interface Fairness {
  gini: number;
  excess: number;
  idle_members: number;
}

export interface Replicas {
  advised: number;
  current: number;
  useful: number;
  member_rate: number | null;
  reason: string;
  reasoning: string;
}

export interface Alert {
  id: string;
  kind: "slo_violated" | "stuck_partitions" | "rebalance_instability" | "unfair_distribution";
  severity: Severity;
  group_id: string;
  since: string;
  value: number;
  bound: number;
  held: boolean;
  summary: string;
  advice: string;
}

export interface Health {
  slo: Slo | null;
  stuck_partitions: number | null;
  rebalances: Rebalances | null;
  fairness: Fairness | null;
  velocity: { records_per_second: number | null; seconds_per_second: number | null } | null;
  drain_seconds: number | null;
  replicas: Replicas | null;
  recommendation: string | null;
  alerts: Alert[];
}

export interface Lag {
  max_seconds: number | null;
  bound_seconds: number | null;
  p95_seconds: number | null;
  p50_seconds: number | null;
  max_records: number | null;
  p95_records: number | null;
  p50_records: number | null;
  total_records: number | null;
}

/** Where something comes from: one LagMonitor looks at one cluster. */
export interface Origin {
  cluster_name: string;
  cluster_id: string | null;
  namespace: string;
  monitor: string;
  team: string | null;
  generated_at: string;
}

interface GroupHead extends Origin, Health {
  group_id: string;
  type: string;
  group_state: string | null;
  state: State | null;
  assignor: string | null;
  lag: Lag;
  max_lag_seconds: number | null;
  total_lag_records: number | null;
  trend: Trend | null;
}

export interface GroupRow extends GroupHead {
  members: number | null;
  topics: string[];
}

export interface Member {
  member_id: string;
  client_id: string;
  host: string;
  assigned: { topic: string; partitions: number[] }[];
}

export interface Partition {
  partition: number;
  member_id: string | null;
  committed_offset: number | null;
  log_start_offset: number | null;
  log_end_offset: number | null;
  lag_records: number | null;
  lag_seconds: number | null;
  bound_seconds: number | null;
  method: Method | null;
  clock: Clock | null;
  records_lost: number;
  blocked_records: number;
  stale_seconds: number | null;
  stuck_seconds: number | null;
  anomalies: string[];
}

export interface GroupTopic {
  topic: string;
  state: State | null;
  since: string | null;
  max_lag_seconds: number | null;
  p50_lag_seconds: number | null;
  p95_lag_seconds: number | null;
  bound_seconds: number | null;
  method: Method | null;
  clock: Clock | null;
  total_lag_records: number | null;
  max_lag_records: number | null;
  partitions_without_commit: number;
  abandoned_partitions: number;
  /** The group has left the topic: it is out of the group's state, ages and advice. */
  abandoned: boolean;
  consume_rate: number | null;
  produce_rate: number | null;
  drain_seconds: number | null;
  trend: Trend | null;
  slo: TopicSlo | null;
  stuck_partitions: number | null;
  partitions?: Partition[];
}

export interface Group extends GroupHead {
  members: Member[] | null;
  topics: GroupTopic[];
}

export interface Point {
  time: string;
  lag_seconds: number | null;
  bound_seconds: number | null;
  lag_records: number | null;
}

export interface History {
  from: string;
  to: string;
  step_seconds: number;
  points: Point[];
  topics: { topic: string; points: Point[] }[];
  memberships: Membership[];
}

export interface Membership {
  time: string;
  members: { member_id: string; assigned: { topic: string; partitions: number[] }[] }[];
}

export interface Sparklines {
  from: string;
  to: string;
  step_seconds: number;
  groups: { cluster_name: string; group_id: string; points: Point[] }[];
}

export interface TopicHealth {
  topic: string;
  topic_id: string | null;
  partitions: number;
  replication_factor: number;
  groups: number;
  online: number;
  recovering: number;
  offline: number;
  consumed_partitions: number;
  coverage: number | null;
  max_lag_seconds: number | null;
  total_lag_records: number | null;
  mean_compliance: number | null;
  stuck_partitions: number | null;
  alerts: number;
  summary: string;
}

export interface TopicRow extends TopicHealth {
  cluster_name: string;
  cluster_id: string | null;
  generated_at: string;
}

export interface TopicConsumer extends Health {
  group_id: string;
  group_state: string | null;
  state: State | null;
  trend: Trend | null;
  topic_lag: GroupTopic;
}

export interface TopicDetail extends Origin {
  topic: TopicHealth;
  config: {
    retention_ms: number | null;
    retention_bytes: number | null;
    cleanup_policy: string | null;
    reason: string | null;
  };
  partitions: { partition: number; log_start_offset: number | null; log_end_offset: number | null; groups: number }[];
  consumers: TopicConsumer[];
  alerts: Alert[];
  summary: string;
}

export interface Failure {
  scope: string;
  name: string;
  reason: string;
  message: string;
}

export interface Totals {
  groups: number;
  online: number;
  recovering: number;
  offline: number;
  group_states: { stable: number; rebalancing: number; empty: number; other: number };
  members: number;
  max_lag_seconds: number | null;
  total_lag_records: number | null;
  slo: Slo | null;
  stuck_partitions: number | null;
  warnings: number;
  criticals: number;
}

/** All groups together; those of no LagMonitor at all are none. */
export interface Together extends Totals {
  monitors: number;
}

export interface Team {
  team: string | null;
  monitors: number;
  totals: Totals;
}

/** What a LagMonitor says of itself. */
export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
  since: string;
}

export interface Cluster {
  cluster_name: string;
  cluster_id: string | null;
  namespace: string;
  monitor: string;
  team: string | null;
  conditions: Condition[];
  brokers: string[];
  generated_at: string | null;
  last_sample: string | null;
  interval_seconds: number | null;
  coverage: number | null;
  trouble: Failure | null;
  unstored: string | null;
  errors: Failure[];
  topics: number;
  totals: Totals | null;
}

export type AlertRow = Alert & Origin;

export interface List<T> {
  items: T[];
  total: number;
  next_cursor: string | null;
}

/** What the live routes say. */
export interface LiveEvent {
  type: string;
  time: string;
  cluster_name: string;
  generated_at?: string;
  group_id?: string;
  group?: Group | null;
  trouble?: Failure | null;
  topic?: string | null;
  from?: string;
  to?: string;
  from_seconds?: number | null;
  to_seconds?: number | null;
  client_id?: string;
  host?: string;
  members?: number;
  joined?: number;
  left?: number;
  alert?: Alert;
  reason?: string;
  message?: string;
}
