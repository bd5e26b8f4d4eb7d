//! Who was in a group, from when on, with which partitions: one row for each change.

use rusqlite::{OptionalExtension, Transaction, params};

use super::Store;
use super::error::Error;
use crate::lag::Millis;
use crate::lag::report::{Assignment, Group, Report};

/// Changes of members that are kept of a group, and for how long.
const MEMBERSHIPS: u32 = 1_000;
const MEMBERSHIPS_FOR: Millis = 7 * 86_400_000;

/// Who was in a group from one time on.
#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    /// Since when, in milliseconds since 1970 UTC.
    pub time: Millis,
    /// The ids of the members, sorted, each with the partitions that it had.
    pub members: Vec<(String, Vec<Assignment>)>,
}

impl Store {
    /// The members of a group from `from` to `to`: what they were at the beginning, and each change; of more than `limit`,
    /// the last.
    ///
    /// # Errors
    /// Any that the database has.
    pub fn memberships_of(
        &self,
        monitor: &str,
        group: &str,
        (from, to): (Millis, Millis),
        limit: u32,
    ) -> Result<Vec<Membership>, Error> {
        let rows: Vec<(Millis, String)> = self.inner().guard(|inner| {
            let mut statement = inner.connection.prepare_cached(
                "SELECT time, members FROM memberships JOIN monitors ON monitors.id = monitor_id
                 WHERE name = ?1 AND group_id = ?2 AND time <= ?4 AND memberships.id >= coalesce(
                     (SELECT max(id) FROM memberships WHERE monitor_id = monitors.id AND group_id = ?2 AND time <= ?3), 0)
                 ORDER BY memberships.id DESC LIMIT ?5",
            )?;
            let rows = statement.query_map(params![monitor, group, from, to, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        let read = |(time, members): (Millis, String)| {
            Some(Membership { time, members: serde_json::from_str(&members).ok()? })
        };
        Ok(rows.into_iter().rev().filter_map(read).collect())
    }
}

/// Writes the members of each group whose members or assignments are not those that were written last.
pub(super) fn save(transaction: &Transaction<'_>, monitor: i64, report: &Report) -> Result<(), Error> {
    let time = report.generated_at.0;
    for group in &report.groups {
        let Some(members) = canonical(group) else { continue };
        // Compared here: SQLite would make a plan of its own for each members that it is given to compare with.
        let last: Option<String> = transaction
            .prepare_cached(
                "SELECT members FROM memberships WHERE monitor_id = ?1 AND group_id = ?2 ORDER BY id DESC LIMIT 1",
            )?
            .query_row(params![monitor, &*group.group_id], |row| row.get(0))
            .optional()?;
        if last.as_ref() != Some(&members) {
            transaction
                .prepare_cached(
                    "INSERT INTO memberships (monitor_id, group_id, time, members) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![monitor, &*group.group_id, time, members])?;
            transaction
                .prepare_cached(
                    "DELETE FROM memberships WHERE monitor_id = ?1 AND group_id = ?2 AND id < ?5 AND (time < ?3 OR id IN
                     (SELECT id FROM memberships WHERE monitor_id = ?1 AND group_id = ?2
                      ORDER BY id DESC LIMIT -1 OFFSET ?4))",
                )?
                .execute(params![
                    monitor,
                    &*group.group_id,
                    time - MEMBERSHIPS_FOR,
                    MEMBERSHIPS,
                    transaction.last_insert_rowid()
                ])?;
        }
    }
    Ok(())
}

/// Members and assignments as JSON, in an order that does not depend on the broker's.
fn canonical(group: &Group) -> Option<String> {
    let mut members: Vec<(&str, Vec<&Assignment>)> =
        group.members.as_ref()?.iter().map(|member| (&*member.member_id, member.assigned.iter().collect())).collect();
    members.sort_by(|a, b| a.0.cmp(b.0));
    for (_, assigned) in &mut members {
        assigned.sort_by(|a, b| a.topic.cmp(&b.topic));
    }
    serde_json::to_string(&members).ok()
}
