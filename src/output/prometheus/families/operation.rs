//! What Highwater says about itself: its monitors, their samples, and the process.

use std::collections::BTreeMap;

use super::{Family, Source};
use crate::lag::report::Detail;
use crate::output::word::word;

const DETAILS: [(&str, Detail); 3] =
    [("group", Detail::Group), ("topic", Detail::Topic), ("partition", Detail::Partition)];

pub(super) const FAMILIES: &[Family] = &[
    Family::gauge(
        "highwater_monitor_info",
        "The monitor behind a cluster_name, and Kafka's own id of the cluster; always 1.",
        Source::Monitor(|posted, rows| {
            let Some(report) = posted.report.as_deref() else { return };
            let (namespace, name) = report.monitor.as_ref().map_or(("", ""), |m| (&*m.namespace, &*m.name));
            let id = report.cluster.id.as_deref().unwrap_or_default();
            rows.put_with(&[("monitor_namespace", namespace), ("monitor", name), ("cluster_id", id)], 1_u32);
        }),
    )
    .with(&["monitor_namespace", "monitor", "cluster_id"]),
    Family::gauge(
        "highwater_monitor_last_sample_timestamp_seconds",
        "When the last good sample ended, in seconds since 1970.",
        Source::Monitor(|posted, rows| rows.put(posted.pulse.last_sample.map(|millis| millis as f64 / 1e3))),
    ),
    Family::gauge(
        "highwater_monitor_coverage_ratio",
        "Share of the wanted answers that came in the last sample, 0 to 1.",
        Source::Monitor(|posted, rows| rows.put(posted.pulse.coverage)),
    ),
    Family::gauge(
        "highwater_monitor_sample_duration_seconds",
        "What each phase of the last good sample took.",
        Source::Monitor(|posted, rows| {
            let Some(phases) = posted.pulse.phases else { return };
            rows.put_with(&[("phase", "observe")], phases.observe);
            rows.put_with(&[("phase", "probe")], phases.probe);
            rows.put_with(&[("phase", "judge")], phases.judge);
            rows.put_with(&[("phase", "store")], phases.store);
        }),
    )
    .with(&["phase"]),
    Family::gauge(
        "highwater_monitor_storage_degraded",
        "1 while history is kept in memory only, with the reason; absent while it is stored.",
        Source::Monitor(|posted, rows| {
            if let Some(unstored) = &posted.pulse.unstored {
                rows.put_with(&[("reason", unstored.reason)], 1_u32);
            }
        }),
    )
    .with(&["reason"]),
    Family::counter(
        "highwater_monitor_samples_total",
        "Samples begun.",
        Source::Monitor(|posted, rows| rows.put(Some(posted.pulse.samples))),
    ),
    Family::counter(
        "highwater_monitor_sample_failures_total",
        "Samples that brought nothing new, by reason.",
        Source::Monitor(|posted, rows| {
            for (reason, count) in &posted.pulse.failures {
                rows.put_with(&[("reason", &word(reason))], *count);
            }
        }),
    )
    .with(&["reason"]),
    Family::counter(
        "highwater_monitor_probes_total",
        "Times asked of Kafka to sharpen ages.",
        Source::Monitor(|posted, rows| rows.put(Some(posted.pulse.probes))),
    ),
    Family::gauge(
        "highwater_monitor_topics_met",
        "Topics that the monitor's Kafka client has met and remembers; it is replaced when they are many more than exist.",
        Source::Monitor(|posted, rows| rows.put(Some(posted.pulse.topics_met))),
    ),
    Family::gauge(
        "highwater_monitor_unreadable",
        "Things that could not be read in the last sample, by what they are and why.",
        Source::Monitor(|posted, rows| {
            let mut counts = BTreeMap::<_, u64>::new();
            for failure in posted.report.iter().flat_map(|report| &report.errors) {
                *counts.entry((failure.scope, failure.reason)).or_default() += failure.count;
            }
            for ((scope, reason), count) in counts {
                rows.put_with(&[("scope", &word(scope)), ("reason", &word(reason))], count);
            }
        }),
    )
    .with(&["scope", "reason"]),
    Family::gauge(
        "highwater_documents_refused",
        "Faults in a file of documents, for which something in it is refused; absent for a file without.",
        Source::Process(|process, rows| {
            for (file, faults) in &process.refused {
                rows.put_with(&[("file", file)], *faults);
            }
        }),
    )
    .with(&["file"]),
    Family::gauge(
        "highwater_lagmonitor_condition",
        "What a LagMonitor says of itself: 1 for each of its conditions, with status and reason.",
        Source::Process(|process, rows| {
            for (monitor, said) in &*process.sayings {
                for condition in &said.conditions {
                    let labels = [
                        ("monitor_namespace", &*monitor.namespace),
                        ("monitor", &monitor.name),
                        ("condition", &condition.kind),
                        ("status", &condition.status),
                        ("reason", &condition.reason),
                    ];
                    rows.put_with(&labels, true);
                }
            }
        }),
    )
    .with(&["monitor_namespace", "monitor", "condition", "status", "reason"]),
    Family::histogram(
        "highwater_reconcile_duration_seconds",
        "What bringing one LagMonitor about took, requests to the API server included.",
        Source::Process(|process, rows| {
            if process.account.turns.count > 0 {
                rows.put_durations(&process.account.turns);
            }
        }),
    ),
    Family::counter(
        "highwater_reconcile_errors_total",
        "What the operator could not bring about on Kubernetes, by reason.",
        Source::Process(|process, rows| {
            for (reason, count) in &process.account.failures {
                rows.put_with(&[("reason", reason)], *count);
            }
        }),
    )
    .with(&["reason"]),
    Family::counter(
        "highwater_kubernetes_api_requests_total",
        "Requests to the API server, by the status code of the answer; 0 where none came.",
        Source::Process(|process, rows| {
            for (code, count) in &process.account.requests {
                rows.put_with(&[("code", &code.to_string())], *count);
            }
        }),
    )
    .with(&["code"]),
    Family::gauge(
        "highwater_metrics_detail",
        "How deep these metrics go: 1 for the detail in force, 0 for the others.",
        Source::Process(|process, rows| rows.put_variant("detail", &DETAILS, Some(process.detail))),
    )
    .with(&["detail"]),
    Family::gauge(
        "highwater_metrics_partition_series",
        "Pairs of group and partition, shown or not: the series of each metric at partition detail.",
        Source::Process(|process, rows| rows.put(Some(process.partition_series))),
    ),
    Family::gauge(
        "highwater_tasks",
        "Tasks that are under way in the process: as many as before when monitors and clients are as many as before.",
        Source::Process(|process, rows| rows.put(Some(process.tasks))),
    ),
    Family::gauge(
        "highwater_build_info",
        "The version that runs; always 1.",
        Source::Process(|_, rows| rows.put_with(&[("version", env!("CARGO_PKG_VERSION"))], 1_u32)),
    )
    .with(&["version"]),
];
