//! Ctrl-C and SIGTERM: the first asks everything to stop, a second one, or five seconds, ends the process at once.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{FAILED, screen};

/// How long a graceful stop may take.
const GRACE: Duration = Duration::from_secs(5);

/// A token that is cancelled by the first signal.
///
/// # Errors
/// When the system refuses signal handlers.
pub(super) fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        token.cancel();
        let again = tokio::time::timeout(GRACE, either(&mut interrupt, &mut terminate)).await;
        let why = if again.is_ok() { "a second signal" } else { "not stopped within five seconds" };
        screen::complain(why);
        std::process::exit(FAILED.into());
    });
    Ok(stop)
}

async fn either(a: &mut Signal, b: &mut Signal) {
    tokio::select! {
        _ = a.recv() => {}
        _ = b.recv() => {}
    }
}
