//! What is told of a monitor's life, turn by turn, and what is not.

use serde_json::json;

use super::*;
use crate::board::Posted;
use crate::lag::reason::Reason;
use crate::lag::report::{Method, Timestamp};
use crate::output::sample;
use crate::reconcile::conditions::conditions;
use crate::reconcile::conditions::tests::{NOON, calm, failing, objective, refused, restarted, sampled};

/// What is told at one turn, as `Type/Reason: note`.
fn turn(seen: &mut Seen, standing: &Standing, posted: Option<&Posted>, published: &Published) -> Vec<String> {
    let facts = Facts { generation: Some(1), standing, posted, published, objective: None };
    let notices = seen.notice(facts);
    let kind = |notice: &Notice| if notice.warning { "Warning" } else { "Normal" };
    notices.iter().map(|notice| format!("{}/{}: {}", kind(notice), notice.reason, notice.note)).collect()
}

/// A turn of an accepted and published spec.
fn look(seen: &mut Seen, posted: &Posted) -> Vec<String> {
    turn(seen, &Standing::Accepted, Some(posted), &Published::Done)
}

/// A monitor that was accepted and has shown this.
fn after(posted: &Posted) -> Seen {
    let mut seen = Seen::default();
    assert_eq!(look(&mut seen, posted), ["Normal/SamplingStarted: the spec is accepted and sampled"]);
    seen
}

/// The report that many seconds after noon, with these groups and their states.
fn report(second: i64, groups: &[(&str, Option<State>)]) -> Report {
    let group = |(id, state): &(&str, Option<State>)| {
        sample::group(id, vec![sample::topic("orders", *state, vec![sample::partition(0, Some(1), 2, None)])], None)
    };
    let groups = groups.iter().map(group).collect();
    Report { generated_at: Timestamp(NOON + second * 1_000), groups, ..calm() }
}

/// The report of one group whose partitions have these committed offsets, log starts and losses.
fn losing(second: i64, id: &str, partitions: &[(i64, i64, i64)]) -> Report {
    let partition = |(number, (committed, log_start, lost)): (i32, &(i64, i64, i64))| {
        let mut partition = sample::partition(number, Some(*committed), 9_000, Some((1.0, 0.0, Method::Record)));
        (partition.log_start_offset, partition.records_lost) = (Some(*log_start), *lost);
        partition
    };
    let partitions = (0..).zip(partitions).map(partition).collect();
    let group = sample::group(id, vec![sample::topic("orders", Some(State::Offline), partitions)], None);
    Report { groups: vec![group], ..report(second, &[]) }
}

const NOTHING: [&str; 0] = [];
const ON: Option<State> = Some(State::Online);
const OFF: Option<State> = Some(State::Offline);
const BACK: Option<State> = Some(State::Recovering);

#[test]
fn groups_that_change_are_told_once_by_the_state_they_have_now() {
    let mut seen = after(&sampled(report(0, &[("a", ON), ("b", OFF), ("c", OFF), ("d", ON), ("e", None)]), 1.0));
    let next = sampled(report(60, &[("a", OFF), ("b", BACK), ("c", ON), ("d", ON), ("e", OFF), ("new", OFF)]), 1.0);
    let told = [
        "Warning/GroupsOffline: 1 group went OFFLINE: a",
        "Normal/GroupsRecovering: 1 group went to RECOVERING: b",
        "Normal/GroupsOnline: 1 group came back ONLINE: c",
    ];
    assert_eq!(look(&mut seen, &next), told);
    assert_eq!(look(&mut seen, &next), NOTHING, "the same sample");
    let same = report(120, &[("a", OFF), ("b", BACK), ("c", ON), ("d", ON), ("e", OFF), ("new", OFF)]);
    assert_eq!(look(&mut seen, &sampled(same, 1.0)), NOTHING, "another sample of the same");
    let last = sampled(report(180, &[("a", ON), ("b", OFF), ("new", BACK)]), 1.0);
    assert_eq!(look(&mut seen, &last).len(), 3);
}

#[test]
fn alerts_that_begin_and_end_are_told_once_by_their_kind() {
    use AlertKind::{SloViolated, StuckPartitions};
    let alerting = |second, groups: &[(&str, &[AlertKind])]| {
        let states: Vec<_> = groups.iter().map(|(group, _)| (*group, ON)).collect();
        let mut report = report(second, &states);
        for (group, (name, kinds)) in report.groups.iter_mut().zip(groups) {
            group.health.alerts = kinds.iter().map(|kind| sample::alert(name, *kind)).collect();
        }
        sampled(report, 1.0)
    };
    let mut seen = after(&alerting(0, &[("a", &[SloViolated]), ("b", &[])]));
    let both = [SloViolated, StuckPartitions];
    let told = look(&mut seen, &alerting(60, &[("a", &both), ("b", &both), ("c", &[StuckPartitions])]));
    let expected = [
        "Warning/SLOViolated: 1 group with too few partitions within their limits: b",
        "Warning/StuckPartitions: 3 groups with stuck partitions: a, b, c",
    ];
    assert_eq!(told, expected);
    assert_eq!(look(&mut seen, &alerting(120, &[("a", &both), ("b", &both), ("c", &[StuckPartitions])])), NOTHING);
    let lost = failing(Some(report(150, &[("a", ON)])), Reason::Unreachable);
    assert_eq!(look(&mut seen, &lost).len(), 1, "the cluster is lost, and nothing is told to be over");
    let told = look(&mut seen, &alerting(180, &[("a", &[]), ("b", &both)]));
    let expected = [
        "Normal/Connected: the cluster answers again",
        "Normal/SLOViolatedEnded: 1 group with enough partitions within their limits again: a",
        "Normal/StuckPartitionsEnded: 2 groups whose partitions are no longer stuck: a, c",
    ];
    assert_eq!(told, expected);
}

#[test]
fn many_groups_are_one_notice() {
    let names: Vec<String> = ('a'..='l').map(String::from).collect();
    let all = |state| names.iter().map(|name| (name.as_str(), state)).collect::<Vec<_>>();
    let mut seen = after(&sampled(report(0, &all(ON)), 1.0));
    let told = look(&mut seen, &sampled(report(60, &all(OFF)), 1.0));
    assert_eq!(told, ["Warning/GroupsOffline: 12 groups went OFFLINE: a, b, c and 9 more"]);
}

#[test]
fn a_lost_cluster_is_told_once_and_its_groups_are_compared_when_it_is_back() {
    let mut seen = after(&sampled(report(0, &[("a", ON)]), 1.0));
    let lost = failing(Some(report(60, &[("a", OFF)])), Reason::Unreachable);
    assert_eq!(look(&mut seen, &lost), ["Warning/Unreachable: the cluster cannot be read: check it"]);
    assert_eq!(look(&mut seen, &failing(None, Reason::Timeout)), NOTHING, "still lost");
    assert_eq!(look(&mut seen, &restarted(None)), NOTHING, "not looked yet");
    let found = look(&mut seen, &sampled(report(120, &[("a", OFF)]), 0.5));
    assert_eq!(
        found,
        ["Normal/Connected: the cluster answers again", "Warning/GroupsOffline: 1 group went OFFLINE: a"]
    );
    assert_eq!(look(&mut seen, &lost).len(), 1, "lost again");
}

#[test]
fn a_new_monitor_that_finds_no_cluster_says_so() {
    let mut seen = Seen::default();
    let told = look(&mut seen, &failing(None, Reason::AuthenticationFailed));
    assert_eq!(told[1..], ["Warning/AuthenticationFailed: the cluster cannot be read: check it"]);
}

#[test]
fn what_becomes_of_the_spec_is_told_at_each_change() {
    let mut seen = Seen::default();
    let mut tell = |standing: &Standing| turn(&mut seen, standing, None, &Published::Waiting);
    assert_eq!(tell(&refused(false)), ["Warning/SecretNotFound: spec.tls: Secret a does not exist"]);
    assert_eq!(tell(&refused(false)), NOTHING);
    let other = Standing::Refused { reason: "SecretNotFound", message: "spec.sasl: b".into(), goes_on: false };
    assert_eq!(tell(&other), ["Warning/SecretNotFound: spec.sasl: b"]);
    assert_eq!(tell(&Standing::Accepted), ["Normal/SamplingStarted: the spec is accepted and sampled"]);
    assert_eq!(tell(&Standing::Accepted), NOTHING);
    assert_eq!(tell(&Standing::Suspended), ["Normal/Suspended: sampling is suspended by spec.suspend"]);
    assert_eq!(tell(&Standing::Suspended), NOTHING);
    let goes_on =
        "Warning/SecretNotFound: spec.tls: Secret a does not exist; until then it is sampled as it was written before";
    assert_eq!(tell(&refused(true)), [goes_on]);
    assert_eq!(tell(&Standing::Accepted).len(), 1);
}

#[test]
fn publishing_that_fails_is_told_until_it_works_again() {
    let posted = sampled(calm(), 1.0);
    let mut seen = after(&posted);
    let failed = Published::Failed { reason: "ConfigMapTaken", message: "ConfigMap a is not ours".into() };
    let mut tell = |published: &Published| turn(&mut seen, &Standing::Accepted, Some(&posted), published);
    let told = ["Warning/ConfigMapTaken: ConfigMap a is not ours"];
    assert_eq!(tell(&failed), told);
    assert_eq!(tell(&Published::Waiting), NOTHING);
    assert_eq!(tell(&failed), NOTHING);
    for good in [&Published::Done, &Published::StatusOnly] {
        assert_eq!(tell(good), NOTHING);
        assert_eq!(tell(&failed), told);
    }
}

#[test]
fn history_that_is_not_stored_is_told_when_it_begins_and_when_it_ends() {
    let (full, stored) = (unstored(Some("StorageFull")), unstored(None));
    let mut seen = after(&stored);
    let began = ["Warning/StorageFull: history is kept in memory only: no space is left"];
    let ended = ["Normal/HistoryStored: history is stored again"];
    assert_eq!(look(&mut seen, &full), began);
    assert_eq!(look(&mut seen, &full), NOTHING);
    assert_eq!(look(&mut seen, &restarted(Some(calm()))), NOTHING, "it has not looked yet");
    assert_eq!(look(&mut seen, &stored), ended);
    assert_eq!(look(&mut seen, &stored), NOTHING);

    // Whoever comes after a restart knows what was told, from the condition.
    let objective = objective(json!({}));
    for (posted, next, told) in [(&full, &stored, &ended[..]), (&stored, &stored, &[]), (&full, &full, &[])] {
        let (standing, published) = (&Standing::Accepted, &Published::Done);
        let facts =
            Facts { generation: Some(1), standing, posted: Some(posted), published, objective: Some(&objective) };
        assert_eq!(look(&mut Seen::left(&conditions(facts, &[], NOON)), next), told);
    }
}

/// What stands on the board after a sample whose history could not be stored, or could.
fn unstored(reason: Option<&'static str>) -> Posted {
    let posted = sampled(calm(), 1.0);
    let unstored = reason.map(|reason| Unstored { reason, message: "no space is left".into() });
    let pulse = crate::board::Pulse { unstored, ..(*posted.pulse).clone() };
    Posted { pulse: std::sync::Arc::new(pulse), ..posted }
}

#[test]
fn suspending_forgets_what_failed_and_not_what_was_seen() {
    let mut seen = after(&sampled(report(0, &[("a", ON)]), 1.0));
    let (lost, failed) = (failing(None, Reason::Timeout), Published::Failed { reason: "X", message: "x".into() });
    let told = turn(&mut seen, &Standing::Accepted, Some(&lost), &failed);
    assert_eq!(told.len(), 2);
    turn(&mut seen, &Standing::Suspended, None, &Published::Waiting);
    assert_eq!(turn(&mut seen, &Standing::Accepted, Some(&lost), &failed)[1..], told);
    let told = look(&mut seen, &sampled(report(999, &[("a", OFF)]), 1.0));
    assert_eq!(told[1..], ["Warning/GroupsOffline: 1 group went OFFLINE: a"]);
}

#[test]
fn records_that_are_deleted_unread_are_told_as_they_go() {
    let mut seen = after(&sampled(losing(0, "a", &[(10, 40, 30), (50, 0, 0)]), 1.0));
    for (second, partitions, told) in [
        (60, [(10, 40, 30), (50, 0, 0)], ""),
        (120, [(10, 45, 35), (50, 60, 10)], "15 records"),
        (180, [(10, 45, 35), (50, 60, 10)], ""),
        // It commits below the log start: what it skips was told, and is told no more.
        (240, [(20, 45, 0), (55, 60, 0)], ""),
        (300, [(20, 45, 25), (55, 60, 5)], ""),
        (360, [(20, 46, 26), (55, 60, 5)], "1 record"),
        // It has read on: nothing is lost, and later less than ever before.
        (420, [(99, 46, 0), (99, 60, 0)], ""),
        (480, [(99, 101, 2), (99, 60, 0)], "2 records"),
        // The topic was deleted and created again.
        (540, [(99, 0, 0), (0, 60, 0)], ""),
        (600, [(1, 4, 3), (0, 60, 0)], "3 records"),
    ] {
        let expected: Vec<_> = [told].into_iter().filter(|told| !told.is_empty()).collect();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|lost| format!("Warning/RecordsLost: Kafka deleted {lost} that 1 group had not read: a"))
            .collect();
        assert_eq!(look(&mut seen, &sampled(losing(second, "a", &partitions), 1.0)), expected, "{second}");
    }
    let other = sampled(losing(660, "b", &[(10, 40, 30)]), 1.0);
    assert_eq!(look(&mut seen, &other), NOTHING, "a group that was not there before was merely found");
    assert_eq!(look(&mut seen, &sampled(losing(720, "b", &[(10, 41, 31)]), 1.0)).len(), 1);
}

#[test]
fn what_a_former_process_left_in_the_status_is_not_told_again() {
    let objective = objective(json!({}));
    let failed = Published::Failed { reason: "X", message: "x".into() };
    let (good, lost) = (sampled(report(0, &[("a", OFF)]), 1.0), failing(None, Reason::Timeout));
    let long = Standing::Refused { reason: "InvalidSpec", message: "é".repeat(999), goes_on: false };
    let stories = [
        (&Standing::Accepted, Some(&good), &Published::Done),
        (&Standing::Accepted, Some(&lost), &failed),
        (&Standing::Suspended, None, &Published::Waiting),
        (&refused(false), None, &Published::Waiting),
        (&long, None, &Published::Waiting),
    ];
    for (standing, posted, published) in stories {
        let facts = Facts { generation: Some(1), standing, posted, published, objective: Some(&objective) };
        let mut seen = Seen::left(&conditions(facts, &[], NOON));
        assert_eq!(turn(&mut seen, standing, posted, published), NOTHING, "{standing:?}");
        assert!(!turn(&mut Seen::default(), standing, posted, published).is_empty());
    }
    let facts = Facts {
        generation: Some(1),
        standing: &Standing::Accepted,
        posted: Some(&lost),
        published: &failed,
        objective: None,
    };
    let mut seen = Seen::left(&conditions(facts, &[], NOON));
    assert_eq!(look(&mut seen, &good), ["Normal/Connected: the cluster answers again"]);
    assert_eq!(Seen::left(&[]).standing, None, "a new LagMonitor is told from its beginning");
}

#[test]
fn a_note_fits_an_event_whatever_the_names() {
    let long = "é".repeat(2_000);
    let all = |state| [(long.as_str(), state), (sample::AWKWARD, state), ("c", state), ("d", state)];
    let mut seen = after(&sampled(report(0, &all(ON)), 1.0));
    let told = look(&mut seen, &sampled(report(60, &all(OFF)), 1.0)).remove(0);
    assert!(told.len() < 1_024 && told.ends_with("c and 1 more") && !told.contains(char::is_control), "{told}");
    let standing = Standing::Refused { reason: "InvalidSpec", message: long.clone(), goes_on: false };
    let facts =
        Facts { generation: None, standing: &standing, posted: None, published: &Published::Waiting, objective: None };
    let notice = Seen::default().notice(facts).remove(0);
    assert!(notice.note.len() <= 1_024 && notice.note.len() > 1_020 && notice.note.ends_with('…'));
    assert_eq!((notice.warning, notice.action, notice.reason.as_str()), (true, "Accept", "InvalidSpec"));
}
