//! Ctrl-C, SIGTERM and SIGHUP: the first asks everything to stop, a second one, or five seconds, ends the process at
//! once.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{FAILED, screen};

/// How long a graceful stop may take.
const GRACE: Duration = Duration::from_secs(5);

/// Signals this close are one: `timeout` signals its child and then the child's group, some shells do the like.
const SAME: Duration = Duration::from_millis(500);

/// A token that is cancelled by the first signal.
///
/// # Errors
/// When the system refuses signal handlers.
pub(super) fn stop_on_signal() -> std::io::Result<CancellationToken> {
    stop_on_signal_or(|| {})
}

/// The same, with what is still to be done where the process ends at once.
///
/// # Errors
/// As [`stop_on_signal`].
pub(super) fn stop_on_signal_or(clean_up: impl FnOnce() + Send + 'static) -> std::io::Result<CancellationToken> {
    let mut signals = vec![signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
    if !hangups_ignored() {
        signals.push(signal(SignalKind::hangup())?);
    }
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        any(&mut signals).await;
        token.cancel();
        let again = tokio::time::timeout(GRACE, another(&mut signals)).await;
        let why = if again.is_ok() { "a second signal" } else { "not stopped within five seconds" };
        clean_up();
        screen::show_cursor();
        screen::complain(&format!("ended at once: {why}"));
        std::process::exit(FAILED.into());
    });
    Ok(stop)
}

async fn another(signals: &mut [Signal]) {
    let first = Instant::now();
    loop {
        any(signals).await;
        if first.elapsed() >= SAME {
            return;
        }
    }
}

async fn any(signals: &mut [Signal]) {
    poll_fn(|context| match signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

/// Whether whoever started the process wants it to outlive the terminal, as `nohup` does; Linux alone says.
fn hangups_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
