//! Highwater answers, for every Kafka consumer group: how old is the data it is working on, in seconds, and is that
//! all right?
//!
//! **A spec becomes a plan, a plan observes Kafka, observations are remembered and judged, one report is posted, and
//! everybody shows that report.** Data moves to the right only:
//!
//! ```text
//! spec ──▶ plan ──▶ observe ──▶ remember ──▶ judge ──▶ post ──▶ show
//! crd    reconcile   kafka       store        lag      board    output · http · cli
//! ```
//!
//! # The rooms
//!
//! | layer | room | does | never |
//! |---|---|---|---|
//! | 0 | [`lag`] | brackets, refinement, states, aggregates, the report; pure | reads a clock, waits, fails |
//! | 0 | [`crd`] | the LagMonitor: types, defaults, bounds, rules | behaves |
//! | 1 | [`clock`] | the wall's time, a faster one, one that tests step | |
//! | 2 | [`kafka`] | one read-only pass over a cluster, failures as data; all `unsafe` | joins a group, commits, decides |
//! | 2 | [`store`] | SQLite: histories, states, samples | computes |
//! | 2 | [`board`] | the latest report of each monitor, and what its LagMonitor says of itself | remembers |
//! | 2 | [`sim`] | a simulated cluster on loopback | stands in the way of a real one |
//! | 3 | [`monitor`] | one LagMonitor at work | knows Kubernetes |
//! | 3 | [`output`] | a report as table, JSON, CSV, file, metrics | computes |
//! | 3 | [`access`] | who may see what | shows anything |
//! | 3 | [`remote`] | asks a Highwater that runs elsewhere | reads what it is told |
//! | 4 | [`http`] | probes, metrics, the API and the page, from the board; the past, from the store | calls Kafka |
//! | 4 | [`reconcile`] | documents and resources to plans, plans to running monitors, reports to status | does arithmetic of lag |
//! | 5 | [`cli`] | the commands | has logic |
//!
//! A room imports from the layers above it in this table only, and rooms of one layer do not know each other.
//! `tests/tidy.rs` keeps that and the other rules by reading the source.
//!
//! # A sample, from tick to screen
//!
//! 1. [`monitor`] ticks. [`kafka::Cluster::observe`] asks for topics and their ids, log starts, committed offsets, log
//!    ends, in that order, so that a healthy partition never shows negative lag. What did not answer carries its reason.
//! 2. [`lag::memory::Memory::remember`] adds each log end to its partition's [`lag::history::History`]: a run that goes
//!    on, or a new one. A new topic id starts a new history; an end that fell twice cuts it.
//! 3. [`lag::refine::Refinement`] names the times to ask each broker for, [`kafka::Cluster::tell`] asks,
//!    [`lag::refine::Refinement::learn`] takes in the answers, until every age is as exact as wanted or the broker's budget
//!    is spent.
//! 4. [`lag::judge::judge`] moves each group's state on and makes the [`lag::report::Report`].
//! 5. [`store::Store::save`] writes what changed, in one transaction.
//! 6. [`board::Board::post`] shows it to the file writer, `/metrics`, the API, who watches, and the live table.
//!
//! # A LagMonitor on Kubernetes, from `kubectl apply` to its status
//!
//! 1. [`reconcile::operator`] watches. A change of the spec, an annotation or a deletion gives the LagMonitor its turn, and
//!    so does everything new on the board; its own writes to the status do not.
//! 2. A turn checks [`reconcile::guard`] and [`reconcile::plan::Claims`], fetches the [`reconcile::references`], and makes the
//!    [`reconcile::plan::Plan`].
//! 3. [`reconcile::fleet::Fleet::set`] starts the monitor, or hands a running one its new orders.
//! 4. [`reconcile::publish`] writes the ConfigMap, [`reconcile::conditions`] and [`reconcile::status`] say what to tell,
//!    [`reconcile::notices`] what has changed. Each is written when it differs, and not too often.
//! 5. After each listing and deletion, whatever belongs to a LagMonitor that no longer exists is removed.
//!
//! # A committed offset, from number to age
//!
//! 1. [`lag::bracket::estimate`] looks up the sampled rows around it: the last that ended at or below, the first above.
//! 2. Near enough together, they answer on the append clock, and the bound holds without conditions.
//! 3. Otherwise the answers by time around it narrow that bracket on the producer clock. An answer that hit the very
//!    record is its timestamp; one outside the bracket is dropped.
//! 4. Where an answer shows that compaction took every record between the rows, the first survivor behind them counts.
//! 5. Without a row on either side there is a lower bound, and [`lag::refine`] asks the ladder of past times.
//! 6. The age is `now` less that time, the bound the larger distance to either end of the bracket.

pub mod access;
pub mod board;
pub mod cli;
pub mod clock;
pub mod crd;
pub mod http;
pub mod kafka;
pub mod lag;
pub mod monitor;
pub mod output;
pub mod reconcile;
pub mod remote;
pub mod sim;
pub mod store;
