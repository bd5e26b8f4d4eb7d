//! The report as the content of a ConfigMap: cut to a size that etcd can bear, the worst groups kept, with a digest
//! that says whether anything but the time has changed. Writing it to the API server is left to `reconcile`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use super::{RenderError, detail, json};
use crate::lag::report::{Detail, Group, Health, LeftOut, Report, Timestamp};

/// The key of the ConfigMap under which the report stands.
pub const KEY: &str = "report.json";

/// The most bytes of errors beside groups that do not all fit.
const ERRORS: usize = 64 * 1024;

/// How large a report in a ConfigMap may be, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Above it detail is lowered.
    pub wanted: usize,
    /// Above it rows are left out. Kubernetes itself refuses a ConfigMap of more than 1 MiB.
    pub most: usize,
}

impl Default for Limits {
    /// 256 KiB and 900 KiB.
    fn default() -> Self {
        Self { wanted: 256 * 1024, most: 900 * 1024 }
    }
}

/// A report ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The report, a line a group.
    pub json: String,
    /// How deep it goes.
    pub detail: Detail,
    /// Whether it is less than was asked for.
    pub truncated: bool,
    /// Equal for reports that differ in `generated_at`, `sampling.duration_seconds`, `sampling.probes`, and in rates and
    /// what was observed of a budget only. It holds within one process.
    pub digest: u64,
}

/// The report at `detail`, or at the deepest lesser one that keeps to `limits.wanted`. Groups without topics may take
/// up to `limits.most`; beyond it they go without budgets, rates and advice on replicas, and then rows are left out, as
/// [`LeftOut`] counts.
///
/// Sizes are measured, and measuring ends at the limit: what does not fit is never held as text.
///
/// # Errors
/// [`RenderError::TooLarge`] when not even the heading keeps to `limits.most`.
pub fn rendered(report: &Report, detail: Detail, limits: Limits) -> Result<Rendered, RenderError> {
    let mut report = fitting(report, detail, limits)?;
    let mut json = Vec::new();
    json::lines(&report, &mut json)?;
    let json = String::from_utf8(json).map_err(io::Error::other)?;
    let (detail, truncated) = (report.detail, report.truncated);
    report.generated_at = Timestamp(0);
    report.sampling.duration_seconds = 0.0;
    report.sampling.probes = 0;
    report.groups.iter_mut().for_each(|group| steady(&mut group.health));
    let mut digest = Digest::default();
    json::lines(&report, &mut digest)?;
    Ok(Rendered { json, detail, truncated, digest: digest.0.finish() })
}

fn fitting(report: &Report, detail: Detail, limits: Limits) -> Result<Report, RenderError> {
    let asked = detail.min(report.detail);
    for level in [Detail::Partition, Detail::Topic, Detail::Group].into_iter().filter(|level| *level <= asked) {
        let mut fitting = Cow::Borrowed(report);
        if level < report.detail {
            fitting = Cow::Owned(detail::lowered(report, level));
        }
        if level < asked {
            fitting.to_mut().truncated = true;
        }
        let limit = if level == Detail::Group { limits.most } else { limits.wanted };
        if size(limit, |counter| json::lines(&fitting, counter))?.is_some() {
            return Ok(fitting.into_owned());
        }
    }
    let mut brief = detail::lowered(report, Detail::Group);
    brief.truncated = true;
    brief.groups.iter_mut().for_each(|group| shorten(&mut group.health));
    if size(limits.most, |counter| json::lines(&brief, counter))?.is_some() {
        return Ok(brief);
    }
    thinned(brief, limits.most)
}

/// Leaves out what is long, and of use to a chart rather than to a reader.
fn shorten(health: &mut Health) {
    health.slo.iter_mut().for_each(|slo| slo.budget = None);
    (health.velocity, health.drain_seconds, health.replicas) = (None, None, None);
}

/// Leaves out what differs from sample to sample while nothing happens.
fn steady(health: &mut Health) {
    let budgets = health.slo.iter_mut().filter_map(|slo| slo.budget.as_mut());
    budgets.for_each(|budget| budget.observed_seconds = 0.0);
    (health.velocity, health.drain_seconds) = (None, None);
    if let Some(replicas) = &mut health.replicas {
        replicas.member_rate = None;
        replicas.reasoning.clear();
    }
}

/// Leaves out as many rows as `most` bytes demand: topics first, then groups, then errors beyond [`ERRORS`] bytes.
fn thinned(mut report: Report, most: usize) -> Result<Report, RenderError> {
    let (groups, errors, topics) =
        (std::mem::take(&mut report.groups), std::mem::take(&mut report.errors), std::mem::take(&mut report.topics));
    report.truncated = true;
    let all = LeftOut { groups: groups.len(), errors: errors.len(), topics: topics.len() };
    // No count that follows is longer than these.
    report.left_out = Some(all);
    let heading = size(most, |counter| json::lines(&report, counter))?;
    let mut room = most - heading.ok_or(RenderError::TooLarge { most })?;
    let mut room_for_errors = room.min(ERRORS);
    room -= room_for_errors;
    report.errors = kept(errors, |_, _| Ordering::Equal, &mut room_for_errors)?;
    room += room_for_errors;
    report.groups = kept(groups, worst_first, &mut room)?;
    report.topics = kept(topics, |_, _| Ordering::Equal, &mut room)?;
    report.left_out = Some(LeftOut {
        groups: all.groups - report.groups.len(),
        errors: all.errors - report.errors.len(),
        topics: all.topics - report.topics.len(),
    });
    Ok(report)
}

/// By age, oldest first; unknown ages last; of equal ages the worst state first.
fn worst_first(a: &Group, b: &Group) -> Ordering {
    let age = |group: &Group| group.max_lag_seconds.unwrap_or(-1.0);
    age(b).total_cmp(&age(a)).then(b.state.cmp(&a.state))
}

/// The first rows by `order` that there is room for, in the order that they had; equal ones count in that order too.
///
/// None that comes later by `order` is kept in place of one that is left out, but for a row that would not even fit
/// alone.
fn kept<T: Serialize>(rows: Vec<T>, order: fn(&T, &T) -> Ordering, room: &mut usize) -> io::Result<Vec<T>> {
    let whole = *room;
    let mut rows: Vec<(usize, T)> = rows.into_iter().enumerate().collect();
    rows.sort_by(|(_, a), (_, b)| order(a, b));
    let mut kept = Vec::new();
    for (place, row) in rows {
        // A row is parted from the next by a comma and a newline.
        let Some(size) = size(whole, |counter| Ok(serde_json::to_writer(counter, &row)?))?.map(|size| size + 2) else {
            continue;
        };
        let Some(left) = room.checked_sub(size) else { break };
        *room = left;
        kept.push((place, row));
    }
    kept.sort_by_key(|(place, _)| *place);
    Ok(kept.into_iter().map(|(_, row)| row).collect())
}

/// The bytes that `write` writes; `None`, and an early end, when they are more than `limit`.
fn size(limit: usize, write: impl FnOnce(&mut Counter) -> io::Result<()>) -> io::Result<Option<usize>> {
    let mut counter = Counter { left: limit };
    match write(&mut counter) {
        Ok(()) => Ok(Some(limit - counter.left)),
        Err(error) if error.kind() == ErrorKind::FileTooLarge => Ok(None),
        Err(error) => Err(error),
    }
}

/// Counts bytes, and refuses the first that is too many.
struct Counter {
    left: usize,
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Digest(DefaultHasher);

impl Write for Digest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
