//! Which consumer groups there are: kind, state, assignor, members.
//!
//! Two lists are asked side by side. The classic one describes all groups in a few requests, but groups of newer
//! protocols look dead in it, and one silent broker may take it whole. The other one tells the kinds, and what each
//! broker answered. What neither settles is described group by group.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};

use super::admin::Admin;
use super::answers::{ClassicGroup, Code, DescribedGroup, ListedGroup, Listing};
use super::failures::Failures;
use super::request::Ask;
use super::selection::Patterns;
use super::topics::left;
use crate::lag::Name;
use crate::lag::observation::{GroupKind, GroupState, Member};
use crate::lag::reason::{Reason, Scope};

/// Groups described in one call, and calls in flight to one coordinator.
const CHUNK: usize = 32;
const IN_FLIGHT: usize = 8;

/// How long the list of groups waits for a silent broker.
const LISTING: Duration = Duration::from_secs(3);

/// One group as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) id: Name,
    pub(super) kind: GroupKind,
    pub(super) state: Option<GroupState>,
    pub(super) assignor: Option<Name>,
    pub(super) members: Option<Vec<Member>>,
    /// The broker that coordinates it.
    pub(super) coordinator: Option<i32>,
    /// Whether it can be asked what it is; of one that cannot, committed offsets tell that it is one of Kafka Streams.
    pub(super) askable: bool,
    /// Whether it is here for its name alone: nothing was heard of it.
    pub(super) by_name: bool,
    /// Whether it is known from before, and the brokers that answered now do not list it: without a committed offset, it is
    /// gone.
    pub(super) unlisted: bool,
    /// Rows of the last answer to the question for all that it has committed; once it is asked in parts, what was reckoned
    /// then.
    pub(super) rows: usize,
}

impl Found {
    /// A group of which nothing but the id is known.
    pub(super) fn unknown(id: Name) -> Self {
        Self {
            id,
            kind: GroupKind::Unknown,
            state: None,
            assignor: None,
            members: None,
            coordinator: None,
            askable: true,
            by_name: true,
            unlisted: false,
            rows: 0,
        }
    }

    /// The coordinator, where some broker told of the group in this pass.
    pub(super) fn likely_coordinator(&self) -> Option<i32> {
        self.coordinator.filter(|_| self.state.is_some())
    }

    /// Rows that an answer for all that it has committed must be reckoned to have.
    pub(super) fn width(&self) -> usize {
        let assigned = self.members.iter().flatten().flat_map(|member| &member.assigned);
        assigned.map(|(_, partitions)| partitions.len()).sum::<usize>().max(self.rows)
    }

    /// Whether that coordinator itself told of it; the one known from before may be another by now.
    pub(super) fn is_described(&self) -> bool {
        self.members.is_some()
    }
}

/// The groups known from the last pass: a broker that is down takes its groups from the list, not from the cluster.
pub(super) type Known = BTreeMap<Name, Found>;

/// The selected groups, sorted by id, and all that are written out by name.
pub(super) async fn look(
    admin: &Admin,
    wanted: &Patterns,
    known: &Known,
    by: Instant,
    failures: &mut Failures,
) -> Vec<Found> {
    // The list waits for every broker; what one that is down would add is known from before.
    let patience = (left(by) / 2).min(LISTING);
    let listing = admin.hub().faults.guard(None, admin.listing(Ask::within(patience)));
    let (listing, classic) = tokio::join!(listing, classic(admin, patience));
    let listing = listing.map(|reply| reply.value);
    let silence = match &listing {
        Ok(listing) => listing.errors.first().map(|code| admin.hub().faults.blame(None, code.reason())),
        Err(reason) => Some(*reason),
    };
    let answered = (listing.is_ok(), classic.is_ok());
    let seen = |id: &Name| wanted.matches(id);
    let (mut groups, open) = merge(listing.ok(), classic.ok(), seen);
    if let Some(reason) = silence {
        let what = "the list of consumer groups is incomplete; those known from before are kept";
        failures.add(Scope::Cluster, "", reason, what);
    }
    // A broker that the others have given up is not even asked: who is in no list may still be there, and its committed
    // offsets tell.
    for (id, group) in known.iter().filter(|(id, _)| wanted.matches(id)) {
        let unlisted = if group.askable { answered.0 } else { answered.1 };
        let kept = Found { state: None, members: None, assignor: None, unlisted, ..group.clone() };
        groups.entry(id.clone()).or_insert(kept);
    }
    for (id, group) in &mut groups {
        let Some(known) = known.get(id) else { continue };
        group.coordinator = group.coordinator.or(known.coordinator);
        group.rows = known.rows;
    }
    describe(admin, &mut groups, open, by, failures).await;
    if groups.is_empty() && silence.is_none() && wanted.literals().next().is_none() {
        let message =
            "no consumer group is visible or matches: none exists, or the operation Describe on groups is missing";
        failures.say(Scope::Cluster, "", Reason::NothingVisible, message.to_owned());
    }
    for literal in wanted.literals() {
        groups.entry(literal.into()).or_insert_with(|| Found::unknown(literal.into()));
    }
    groups.into_values().collect()
}

async fn classic(admin: &Admin, timeout: Duration) -> Result<Vec<ClassicGroup>, Code> {
    let admin = admin.clone();
    let blocking = tokio::task::spawn_blocking(move || admin.classic_groups(timeout));
    match tokio::time::timeout(timeout, blocking).await {
        Ok(Ok(groups)) => groups,
        _ => Err(Code::TIMED_OUT),
    }
}

/// Brings both lists together. Beside the groups come the ids that have to be described one by one.
fn merge(
    listing: Option<Listing>,
    classic: Option<Vec<ClassicGroup>>,
    wanted: impl Fn(&Name) -> bool,
) -> (BTreeMap<Name, Found>, BTreeSet<Name>) {
    let complete = listing.as_ref().is_some_and(|listing| listing.errors.is_empty());
    let listed = listing.map_or(vec![], |listing| listing.groups);
    let mut listed: HashMap<Name, ListedGroup> = listed.into_iter().map(|group| (group.id.clone(), group)).collect();
    let (mut groups, mut open) = (BTreeMap::new(), BTreeSet::new());
    for group in classic.unwrap_or_default().into_iter().filter(|group| wanted(&group.id)) {
        let listed = listed.remove(&group.id);
        let kind = listed.as_ref().map_or(GroupKind::Unknown, |listed| listed.kind);
        let found =
            Found { kind, coordinator: Some(group.coordinator), by_name: false, ..Found::unknown(group.id.clone()) };
        let dead = group.error.is_some() || group.state == Some(GroupState::Dead);
        if !dead && !matches!(group.protocol_type.as_str(), "" | "consumer") {
            // Another use of groups (Kafka Connect, Schema Registry): it consumes nothing.
        } else if !dead && kind != GroupKind::Consumer {
            groups.insert(group.id, settled(found, group.state, group.assignor, group.members));
        } else if listed.is_none() && complete {
            // Neither protocol that can be asked knows it: a share or streams group.
            groups.insert(group.id, Found { askable: false, ..found });
        } else {
            open.insert(group.id.clone());
            groups.insert(group.id, found);
        }
    }
    for (id, group) in listed.into_iter().filter(|(id, _)| wanted(id)) {
        open.insert(id.clone());
        groups.insert(id.clone(), Found { kind: group.kind, state: group.state, by_name: false, ..Found::unknown(id) });
    }
    (groups, open)
}

fn settled(found: Found, state: Option<GroupState>, assignor: Option<Name>, members: Vec<Member>) -> Found {
    Found { kind: GroupKind::Classic, state, assignor, members: Some(members), ..found }
}

/// Describes groups by the coordinator that they have as far as that is known: a call ends with the slowest of its groups.
async fn describe(
    admin: &Admin,
    groups: &mut BTreeMap<Name, Found>,
    open: BTreeSet<Name>,
    by: Instant,
    failures: &mut Failures,
) {
    let mut lines: BTreeMap<Option<i32>, Vec<Name>> = BTreeMap::new();
    for id in open {
        lines.entry(groups.get(&id).and_then(|group| group.coordinator)).or_default().push(id);
    }
    let call = |ids: Vec<Name>| async move {
        let described = admin.hub().faults.guard(None, admin.describe(&ids, left(by))).await;
        described.map(|reply| reply.value).map_err(|reason| (ids, reason))
    };
    let lines = lines.values().map(|line| {
        let calls: Vec<_> = line.chunks(CHUNK).map(|ids| call(ids.to_vec())).collect();
        stream::iter(calls).buffer_unordered(IN_FLIGHT).collect::<Vec<_>>()
    });
    for described in join_all(lines).await.into_iter().flatten() {
        match described {
            Ok(described) => described.into_iter().for_each(|group| apply(groups, group, failures)),
            Err((ids, reason)) => ids.iter().for_each(|id| not_described(id, reason, failures)),
        }
    }
}

fn apply(groups: &mut BTreeMap<Name, Found>, group: DescribedGroup, failures: &mut Failures) {
    let gone = group.error.map(Code::reason) == Some(Reason::UnknownGroup);
    if gone || group.error.is_none() && group.state == Some(GroupState::Dead) {
        groups.remove(&group.id);
        return;
    }
    let Some(found) = groups.get_mut(&group.id) else { return };
    found.coordinator = group.coordinator.or(found.coordinator);
    match group.error {
        None => {
            (found.kind, found.state) = (group.kind, group.state);
            (found.assignor, found.members) = (group.assignor, Some(group.members));
        }
        Some(code) => not_described(&group.id, code.reason(), failures),
    }
}

fn not_described(id: &Name, reason: Reason, failures: &mut Failures) {
    failures.add(Scope::Group, id, reason, &format!("members of group {id}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classic(id: &str, state: GroupState, protocol_type: &str) -> ClassicGroup {
        ClassicGroup {
            id: id.into(),
            coordinator: 1,
            error: None,
            state: Some(state),
            protocol_type: protocol_type.into(),
            assignor: None,
            members: vec![],
        }
    }

    fn listing(kinds: &[(&str, GroupKind)], errors: Vec<Code>) -> Listing {
        let groups = kinds.iter().map(|(id, kind)| ListedGroup { id: (*id).into(), kind: *kind, state: None });
        Listing { groups: groups.collect(), errors }
    }

    #[test]
    fn each_group_is_what_both_lists_together_say() {
        let lists = (
            listing(&[("c", GroupKind::Classic), ("n", GroupKind::Consumer)], vec![]),
            vec![
                classic("c", GroupState::Stable, "consumer"),
                classic("n", GroupState::Dead, ""),
                classic("share", GroupState::Dead, ""),
                classic("connect", GroupState::Stable, "connect"),
                classic("unwanted", GroupState::Stable, "consumer"),
            ],
        );
        let (groups, open) = merge(Some(lists.0), Some(lists.1), |id| &**id != "unwanted");
        assert_eq!(groups.keys().map(|id| &**id).collect::<Vec<_>>(), ["c", "n", "share"]);
        assert_eq!((groups["c"].kind, groups["c"].members.as_deref()), (GroupKind::Classic, Some(&[][..])));
        assert_eq!((groups["share"].askable, &groups["share"].members), (false, &None));
        assert_eq!(open, BTreeSet::from(["n".into()]));
    }

    #[test]
    fn without_the_classic_list_all_are_described() {
        let (groups, open) = merge(Some(listing(&[("c", GroupKind::Classic)], vec![])), None, |_| true);
        assert_eq!((groups.len(), open.len()), (1, 1));
    }

    #[test]
    fn a_dead_look_is_no_proof_while_brokers_are_silent() {
        let partial = listing(&[], vec![Code::TIMED_OUT]);
        let (groups, open) = merge(Some(partial), Some(vec![classic("n", GroupState::Dead, "")]), |_| true);
        assert!(groups["n"].askable && open.contains("n"));
    }
}
