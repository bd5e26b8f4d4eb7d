//! A report with only those groups and topics that a person asked for.

use crate::lag::report::{Group, GroupTopic, Report, State};

/// What a group on a topic must be to be shown; everything has to hold.
pub struct Filter<'a> {
    /// Leaves out groups that have no topic in the report.
    pub with_topics: bool,
    /// One of these states; empty shows all.
    pub states: &'a [State],
    /// The least age in seconds; groups of unknown age are left out then.
    pub min_lag_seconds: Option<f64>,
}

/// The part of the report that the filter lets through, in the same order.
///
/// The figures of a group are those of the topics that are left. Failures all stay: what could not be read is not
/// known to be uninteresting.
pub fn filtered(report: &Report, filter: &Filter<'_>) -> Report {
    let mut report = report.clone();
    report.groups.retain_mut(|group| narrow(group, filter));
    report
}

/// Leaves the wanted topics in the group and says whether it is still to be shown.
fn narrow(group: &mut Group, filter: &Filter<'_>) -> bool {
    let narrow = filter.with_topics || !filter.states.is_empty() || filter.min_lag_seconds.is_some();
    let Some(topics) = &mut group.topics else {
        return !narrow || (!filter.with_topics && wanted(filter, group.state, group.max_lag_seconds));
    };
    let before = topics.len();
    topics.retain(|topic| wanted(filter, topic.state, topic.max_lag_seconds));
    if topics.len() < before {
        let worst = topics.iter().max_by(|a, b| age(a).total_cmp(&age(b)));
        group.trend = worst.and_then(|topic| topic.trend);
        group.max_lag_seconds = worst.and_then(|topic| topic.max_lag_seconds);
        group.state = topics.iter().filter_map(|topic| topic.state).max();
        group.total_lag_records = topics.iter().filter_map(|topic| topic.total_lag_records).reduce(|a, b| a + b);
    }
    !narrow || !topics.is_empty()
}

fn wanted(filter: &Filter<'_>, state: Option<State>, age: Option<f64>) -> bool {
    (filter.states.is_empty() || state.is_some_and(|state| filter.states.contains(&state)))
        && filter.min_lag_seconds.is_none_or(|least| age.is_some_and(|age| age >= least))
}

/// For comparison only: unknown is less than nothing.
fn age(topic: &GroupTopic) -> f64 {
    topic.max_lag_seconds.unwrap_or(-1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    const ALL: Filter<'static> = Filter { with_topics: false, states: &[], min_lag_seconds: None };

    fn shown(filter: &Filter<'_>) -> Vec<(String, Vec<String>)> {
        let names = |g: &Group| g.topics.iter().flatten().map(|t| t.topic.to_string()).collect();
        filtered(&sample::report(), filter).groups.iter().map(|g| (g.group_id.to_string(), names(g))).collect()
    }

    #[test]
    fn no_filter_shows_all() {
        let whole = sample::report();
        let through = filtered(&whole, &ALL);
        assert_eq!(serde_json::to_value(&through).unwrap(), serde_json::to_value(&whole).unwrap());
    }

    #[test]
    fn each_criterion_narrows() {
        let payments = [("orders-shipper".to_string(), vec!["payments".to_string()])];
        let billing = ("billing".to_string(), vec!["orders".to_string()]);
        let with_topics = shown(&Filter { with_topics: true, ..ALL });
        assert!(with_topics.len() < shown(&ALL).len() && with_topics.iter().all(|(_, topics)| !topics.is_empty()));
        assert_eq!(shown(&Filter { states: &[State::Recovering], ..ALL }), payments);
        assert_eq!(shown(&Filter { min_lag_seconds: Some(252.0), ..ALL }), [billing.clone(), payments[0].clone()]);
        assert!(shown(&Filter { min_lag_seconds: Some(252.0), states: &[State::Online], ..ALL }).is_empty());
    }

    #[test]
    fn a_group_counts_what_is_left_of_it() {
        let report = filtered(&sample::report(), &Filter { states: &[State::Online], ..ALL });
        let [group] = &report.groups[..] else { panic!("{:?}", report.groups) };
        assert_eq!(group.state, Some(State::Online));
        assert_eq!((group.max_lag_seconds, group.total_lag_records), (Some(2.5), Some(10)));
        assert_eq!(report.errors.len(), 1);
    }

    #[test]
    fn a_report_of_groups_only_is_filtered_by_their_figures() {
        let groups = crate::output::detail::lowered(&sample::report(), crate::lag::report::Detail::Group);
        let left = filtered(&groups, &Filter { min_lag_seconds: Some(3_600.0), ..ALL });
        assert_eq!(left.groups.iter().map(|g| &*g.group_id).collect::<Vec<_>>(), ["billing"]);
    }
}
