//! Whether a group keeps up with a topic: ONLINE, OFFLINE or RECOVERING, from what one sample showed.
//!
//! A caught-up group on an idle topic neither advances nor stands still: idle is not offline. A failed sample never
//! reaches this table.

use super::Millis;
use super::policy::Policy;
use super::report::State;

/// What a group did on a topic since the last good sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// Some committed offset grew.
    Advancing,
    /// None grew, and something readable is waiting.
    Static,
    /// None grew, and nothing is waiting.
    Idle,
}

/// What one sample showed of a group on a topic.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    /// What it did since the last good sample.
    pub motion: Motion,
    /// Whether some committed offset fell.
    pub rewound: bool,
    /// Whether the age is over the threshold.
    pub behind: bool,
    /// Whether the age is known to be below it; a lower bound below it tells neither.
    pub near: bool,
    /// Whether it has stood still for long enough to be called OFFLINE.
    pub static_long_enough: bool,
    /// Samples in a row in which it advanced while behind.
    pub behind_samples: u32,
    /// Whether it has members; `None` where they could not be asked.
    pub has_members: Option<bool>,
    /// Whether nothing is waiting, but records were deleted before it read them.
    pub caught_up_by_loss: bool,
}

/// The state after one sample; `None` is a group that was not seen before.
pub fn next(state: Option<State>, sight: Sight, policy: &Policy) -> State {
    let alone = sight.has_members == Some(false);
    let lost = sight.caught_up_by_loss && alone;
    match state {
        None if alone && (sight.behind || sight.caught_up_by_loss) => State::Offline,
        None => State::Online,
        Some(State::Online) => match sight.motion {
            Motion::Static if sight.static_long_enough => State::Offline,
            _ if sight.rewound => State::Recovering,
            Motion::Advancing if sight.behind && sight.behind_samples >= policy.offline_after_samples => {
                State::Recovering
            }
            _ => State::Online,
        },
        Some(State::Offline) => match sight.motion {
            Motion::Advancing if sight.behind => State::Recovering,
            Motion::Advancing | Motion::Idle if sight.near && !lost => State::Online,
            _ => State::Offline,
        },
        Some(State::Recovering) => match sight.motion {
            Motion::Static if sight.static_long_enough => State::Offline,
            _ if sight.near => State::Online,
            _ => State::Recovering,
        },
    }
}

/// How long nothing may move before a group counts as standing still: the configured time, or three commit intervals
/// where that is more.
pub fn patience(policy: &Policy, commit_interval: Millis) -> Millis {
    policy.offline_after.max(commit_interval.saturating_mul(3))
}
