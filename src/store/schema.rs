//! The tables, and how a file of an older schema becomes one of this.

use rusqlite::{Connection, TransactionBehavior};

use super::error::Error;

/// Every migration in its order; the number of those applied is the file's `user_version`. Published ones never change.
const MIGRATIONS: [&str; 3] = [FIRST, CONDUCTS, STANDING];

/// The partitions of a group on a topic that stood still for long, as JSON.
const STANDING: &str = "
ALTER TABLE group_topics ADD COLUMN standing TEXT NOT NULL DEFAULT '[]';
";

/// What is remembered of groups as a whole: rebalances, error budgets, alerts, stuck partitions.
const CONDUCTS: &str = "
CREATE TABLE conducts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    monitor_id INTEGER NOT NULL REFERENCES monitors ON DELETE CASCADE,
    group_id TEXT NOT NULL,
    conduct BLOB NOT NULL,
    UNIQUE (monitor_id, group_id)
) STRICT;
";

const FIRST: &str = "
CREATE TABLE monitors (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    cluster_id TEXT,
    -- Until when every newest run that is current was seen: the earliest send of a log end request of the last sample.
    sampled INTEGER NOT NULL
) STRICT;
CREATE TABLE topics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    monitor_id INTEGER NOT NULL REFERENCES monitors ON DELETE CASCADE,
    name TEXT NOT NULL,
    topic_id BLOB,
    partitions INTEGER NOT NULL,
    replicas INTEGER NOT NULL,
    UNIQUE (monitor_id, name)
) STRICT;
CREATE TABLE histories (
    topic_id INTEGER NOT NULL REFERENCES topics ON DELETE CASCADE,
    partition INTEGER NOT NULL,
    -- The last journal row whose changes are in these rows.
    folded INTEGER NOT NULL,
    rows BLOB NOT NULL,
    PRIMARY KEY (topic_id, partition)
) STRICT;
CREATE TABLE group_topics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    monitor_id INTEGER NOT NULL REFERENCES monitors ON DELETE CASCADE,
    group_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    state INTEGER NOT NULL,
    since INTEGER NOT NULL,
    static_samples INTEGER NOT NULL,
    static_since INTEGER,
    gaps TEXT NOT NULL,
    committed_sum INTEGER NOT NULL,
    UNIQUE (monitor_id, group_id, topic)
) STRICT;
CREATE TABLE samples (
    group_topic_id INTEGER PRIMARY KEY REFERENCES group_topics ON DELETE CASCADE,
    folded INTEGER NOT NULL,
    rows BLOB NOT NULL
) STRICT;
-- What each sample has changed, only ever appended to, until it is folded into histories and samples.
CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    monitor_id INTEGER NOT NULL REFERENCES monitors ON DELETE CASCADE,
    time INTEGER NOT NULL,
    changes BLOB NOT NULL,
    samples BLOB NOT NULL
) STRICT;
CREATE INDEX journal_by_monitor ON journal (monitor_id);
CREATE TABLE memberships (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    monitor_id INTEGER NOT NULL REFERENCES monitors ON DELETE CASCADE,
    group_id TEXT NOT NULL,
    time INTEGER NOT NULL,
    members TEXT NOT NULL
) STRICT;
CREATE INDEX memberships_by_group ON memberships (monitor_id, group_id);
-- The report file of each monitor, to be removed with it even when it goes while nobody looks.
CREATE TABLE report_files (
    monitor TEXT PRIMARY KEY,
    path TEXT NOT NULL
) STRICT;
";

/// Brings the tables up to date. A file that was made by something else counts as damaged.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Error> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let Some(missing) = usize::try_from(found).ok().and_then(|found| MIGRATIONS.get(found..)) else {
        return Err(Error::Newer { found, known });
    };
    if missing.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    Ok(transaction.commit()?)
}
