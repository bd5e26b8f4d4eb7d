//! Verdicts that are kept for a while, under a hash of the token: an allowing one longer than a denying one.
//!
//! Who asks for the same at once waits for the same review. What denies goes first where there is no more room, so that
//! invented tokens push out nobody's verdict.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::Refused;

/// How long a verdict counts from when it was asked for. An API server itself goes on for ten seconds with a token that it
/// found good, so that one that is revoked is out after a minute.
pub(super) const ALLOWED: Duration = Duration::from_secs(50);
const DENIED: Duration = Duration::from_secs(10);

/// So many are kept at most; an eighth of them goes where there is no more room.
const MOST: usize = 10_000;

/// Verdicts by what they are about; `None` denies.
#[derive(Debug)]
pub(super) struct Verdicts<K, V>(Mutex<HashMap<K, Entry<V>>>);

#[derive(Debug)]
struct Entry<V> {
    /// Empty while it is judged.
    kept: Arc<OnceCell<Kept<V>>>,
    /// Whether the verdict before allowed.
    was_good: bool,
}

/// A verdict, or why there is none, and until when it counts.
#[derive(Debug, Clone)]
struct Kept<V> {
    verdict: Result<Option<V>, Refused>,
    until: Instant,
}

impl<V> Entry<V> {
    /// Whether it allows, or did before it was, or could not be, judged anew.
    fn good(&self) -> bool {
        match self.kept.get().map(|kept| &kept.verdict) {
            Some(Ok(verdict)) => verdict.is_some(),
            Some(Err(_)) | None => self.was_good,
        }
    }

    fn counts(&self, now: Instant) -> bool {
        self.kept.get().is_none_or(|kept| now < kept.until)
    }
}

impl<K: Eq + Hash, V: Clone> Verdicts<K, V> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// The verdict that still counts at `now`.
    pub(super) fn known(&self, key: &K, now: Instant) -> Option<Option<V>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = all.get(key)?.kept.get()?.clone();
        kept.verdict.ok().filter(|_| now < kept.until)
    }

    /// The verdict that counts, and until when: at most until `most`. `review` is asked where there is none, and told whether
    /// the last one allowed.
    ///
    /// # Errors
    /// Those of the review, which everybody gets who waits for it, and nobody afterwards.
    pub(super) async fn of<F: Future<Output = Result<Option<V>, Refused>>>(
        &self,
        key: K,
        most: Option<Instant>,
        review: impl FnOnce(bool) -> F,
    ) -> Result<(Option<V>, Instant), Refused> {
        let (kept, was_good) = self.entry(key, Instant::now());
        let judge = || async move {
            let asked = Instant::now();
            let verdict = review(was_good).await;
            let lasts = match &verdict {
                Ok(Some(_)) => ALLOWED,
                Ok(None) => DENIED,
                Err(_) => Duration::ZERO,
            };
            let until = asked + lasts;
            Kept { verdict, until: most.map_or(until, |most| most.min(until)) }
        };
        let Kept { verdict, until } = kept.get_or_init(judge).await.clone();
        Ok((verdict?, until))
    }

    /// Where the verdict stands, or will stand, and whether the one before allowed.
    fn entry(&self, key: K, now: Instant) -> (Arc<OnceCell<Kept<V>>>, bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_good = match all.get(&key) {
            Some(entry) if entry.counts(now) => return (entry.kept.clone(), entry.was_good),
            Some(entry) => entry.good(),
            None => false,
        };
        if all.len() >= MOST {
            make_room(&mut all, now);
        }
        let kept = Arc::new(OnceCell::new());
        all.insert(key, Entry { kept: kept.clone(), was_good });
        (kept, was_good)
    }
}

/// Forgets those that deny, and then those that are the oldest.
fn make_room<K, V>(all: &mut HashMap<K, Entry<V>>, now: Instant) {
    let rank = |entry: &Entry<V>| (entry.good(), entry.kept.get().map_or(now + ALLOWED, |kept| kept.until));
    let mut ranks: Vec<_> = all.values().map(rank).collect();
    let mut excess = ranks.len() / 8 + 1;
    let (_, worst, _) = ranks.select_nth_unstable(excess - 1);
    let worst = *worst;
    all.retain(|_, entry| {
        let goes = excess > 0 && rank(entry) <= worst;
        excess -= usize::from(goes);
        !goes
    });
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn an_allowing_verdict_counts_for_less_than_a_minute_and_a_denying_one_for_ten_seconds() {
        let (verdicts, start) = (Verdicts::new(), Instant::now());
        let (_, until) = verdicts.of("good", None, |_| ready(Ok(Some(1)))).await.unwrap();
        verdicts.of("bad", None, |_| ready(Ok(None))).await.unwrap();
        let most = start + Duration::from_secs(3);
        let capped = verdicts.of("capped", Some(most), |_| ready(Ok(Some(2)))).await.unwrap();
        let (took, after) = (start.elapsed(), |seconds| start + Duration::from_secs(seconds));
        assert!(until >= after(50) && until <= after(50) + took, "{:?}", until - start);
        assert_eq!(capped, (Some(2), most));
        assert_eq!((verdicts.known(&"good", after(49)), verdicts.known(&"bad", after(9))), (Some(Some(1)), Some(None)));
        assert_eq!((verdicts.known(&"good", until), verdicts.known(&"bad", after(10) + took)), (None, None));
        assert_eq!((verdicts.known(&"capped", most), verdicts.known(&"other", start)), (None, None));
    }

    #[tokio::test]
    async fn one_review_is_for_everybody_who_waits_and_a_failed_one_for_nobody_else() {
        let (verdicts, reviews) = (Verdicts::new(), AtomicUsize::new(0));
        let ask = |verdict: Result<Option<u8>, Refused>| {
            let reviews = &reviews;
            verdicts.of("token", None, move |_| async move {
                reviews.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                verdict
            })
        };
        let away = Err(Refused::Away("it hangs".into()));
        let found = futures_util::future::join_all((0..100).map(|_| ask(away.clone()))).await;
        assert!(found.into_iter().all(|found| found.is_err()));
        assert_eq!(reviews.load(Ordering::Relaxed), 1);
        assert_eq!(ask(Ok(Some(7))).await.unwrap().0, Some(7));
        assert_eq!(ask(Ok(None)).await.unwrap().0, Some(7), "it is known");
        assert_eq!(reviews.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn who_goes_away_leaves_the_review_to_who_waits() {
        let verdicts = Verdicts::new();
        let mut gone = Box::pin(verdicts.of("token", None, |_| std::future::pending()));
        assert!(futures_util::poll!(&mut gone).is_pending());
        let waiting = verdicts.of("token", None, |_| ready(Ok(Some(2))));
        drop(gone);
        assert_eq!(waiting.await.unwrap().0, Some(2));
    }

    #[tokio::test]
    async fn invented_tokens_push_out_nobody() {
        let verdicts = Verdicts::new();
        for n in 0..100 {
            verdicts.of(n, None, |_| ready(Ok(Some(())))).await.unwrap();
        }
        for n in 100..3 * MOST {
            verdicts.of(n, None, |_| ready(Ok(None))).await.unwrap();
            assert!(n % 500 > 0 || verdicts.0.lock().unwrap().len() <= MOST);
        }
        let now = Instant::now();
        assert!((0..100).all(|n| verdicts.known(&n, now) == Some(Some(()))));
        assert_eq!(verdicts.known(&(3 * MOST - 1), now), Some(None));
        for n in 3 * MOST..5 * MOST {
            verdicts.of(n, None, |_| ready(Ok(Some(())))).await.unwrap();
        }
        assert!(verdicts.0.lock().unwrap().len() <= MOST);
        assert_eq!(verdicts.known(&(5 * MOST - 1), Instant::now()), Some(Some(())));
    }

    #[tokio::test]
    async fn a_token_that_was_good_is_told_to_be_when_it_is_judged_again() {
        let (verdicts, past) = (Verdicts::new(), Some(Instant::now()));
        let was_good = async |verdict: Result<Option<u8>, Refused>| {
            let told = AtomicUsize::new(9);
            let review = |was_good| {
                told.store(usize::from(was_good), Ordering::Relaxed);
                ready(verdict)
            };
            let _ = verdicts.of("token", past, review).await;
            told.into_inner()
        };
        let away = || Err(Refused::Away(String::new()));
        let life = [Ok(None), Ok(Some(1)), away(), away(), Ok(None), away()];
        let mut told = Vec::new();
        for verdict in life {
            told.push(was_good(verdict).await);
        }
        assert_eq!(told, [0, 0, 1, 1, 1, 0]);
    }
}
