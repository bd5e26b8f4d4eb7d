//! What librdkafka reports of its connections, kept so that a missing answer can be put down to its cause.
//!
//! A client that cannot connect never says so to the one who asked: requests wait until they time out. The cause
//! comes apart from them, once, as an event. Here both are brought together, and a wait without hope ends early.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::answers::{Code, Reply};
use crate::lag::reason::Reason;

/// How long a request waits for a connection that is known to be down: it is tried again at least every second.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How long a fresh fault may be a race at the start.
const SETTLING: Duration = Duration::from_millis(300);

/// The faults that no answer has refuted since.
#[derive(Default)]
pub(super) struct Faults(Mutex<State>);

#[derive(Default)]
struct State {
    /// The worst of any broker, known by id or not.
    any: Option<Fault>,
    /// Since when no broker at all is up.
    down: Option<Instant>,
    brokers: BTreeMap<i32, Fault>,
    no_token: Option<String>,
}

#[derive(Clone, Copy)]
struct Fault {
    reason: Reason,
    /// What to do about it, where that is known better than by the reason alone.
    advice: Option<&'static str>,
    /// Whether it was said, and not guessed from the way in which the connection ended.
    certain: bool,
    /// When it began.
    since: Instant,
}

impl Fault {
    /// The newest cause counts, unless one is certain that a person has to act on; the beginning stays.
    fn after(self, old: Option<Self>) -> Self {
        match old {
            Some(old) if old.certain && !self.certain => old,
            Some(old) => Self { since: old.since, ..self },
            None => self,
        }
    }
}

impl Faults {
    /// Takes an error event: its code, and its text, which begins with the broker's name.
    pub(super) fn record(&self, code: Code, text: &str) {
        if code == Code::ALL_BROKERS_DOWN {
            self.state().down.get_or_insert_with(Instant::now);
            return;
        }
        let (reason, certain) = cause(code, text);
        let fault = Fault { reason, advice: advice(text), certain, since: Instant::now() };
        let mut state = self.state();
        state.any = Some(fault.after(state.any));
        if let Some(broker) = broker_of(text) {
            let old = state.brokers.get(&broker).copied();
            state.brokers.insert(broker, fault.after(old));
        }
    }

    /// Takes a log line on a connection that ended, `[thrd:NAME]: NAME: …`: some causes come as no event.
    pub(super) fn record_line(&self, line: &str) {
        self.record(Code::TRANSPORT, line.split_once("]: ").map_or(line, |(_, text)| text));
    }

    /// No token, no connection: the token endpoint refused or could not be reached.
    pub(super) fn record_no_token(&self, sentence: String) {
        let mut state = self.state();
        let reason = Reason::AuthenticationFailed;
        let fault = Fault { reason, advice: None, certain: true, since: Instant::now() };
        state.any = Some(fault.after(state.any));
        state.down.get_or_insert(fault.since);
        state.no_token = Some(sentence);
    }

    /// There is a token again.
    pub(super) fn record_token(&self) {
        self.state().no_token = None;
    }

    /// What to do about the reason that the cluster cannot be read for, where that is known better than by the reason.
    pub(super) fn advice(&self, reason: Reason) -> Option<String> {
        let state = self.state();
        match &state.no_token {
            Some(sentence) if reason == Reason::AuthenticationFailed => Some(format!("no OAuth token: {sentence}")),
            _ => state.any.filter(|fault| fault.reason == reason)?.advice.map(str::to_owned),
        }
    }

    /// Waits for an answer of a broker, or of any; ends early when the connection stays down.
    pub(super) async fn guard<T>(
        &self,
        broker: Option<i32>,
        answer: impl Future<Output = Result<Reply<T>, Code>>,
    ) -> Result<Reply<T>, Reason> {
        let asked = Instant::now();
        let answer = tokio::select! {
            answer = answer => answer,
            reason = self.hopeless(broker, asked) => return Err(reason),
        };
        if answer.as_ref().err().is_none_or(|code| code.is_kafkas()) {
            self.refute(broker);
        }
        answer.map_err(|code| self.blame(broker, code.reason()))
    }

    /// Whether no broker at all is up.
    pub(super) fn all_down(&self) -> bool {
        self.state().down.is_some()
    }

    /// The cause behind a missing answer, where one is known.
    pub(super) fn blame(&self, broker: Option<i32>, reason: Reason) -> Reason {
        match reason {
            Reason::Timeout | Reason::Unreachable => self.state().fault(broker).map_or(reason, |fault| fault.reason),
            reason => reason,
        }
    }

    fn refute(&self, broker: Option<i32>) {
        let mut state = self.state();
        (state.any, state.down) = (None, None);
        if let Some(broker) = broker {
            state.brokers.remove(&broker);
        }
    }

    async fn hopeless(&self, broker: Option<i32>, asked: Instant) -> Reason {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if let Some(reason) = self.state().verdict(broker, asked, Instant::now()) {
                return reason;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fault(&self, broker: Option<i32>) -> Option<Fault> {
        let any = self.down.map(|since| {
            let any = self.any.unwrap_or(Fault { reason: Reason::Unreachable, advice: None, certain: false, since });
            Fault { since, ..any }
        });
        broker.and_then(|broker| self.brokers.get(&broker).copied()).or(any)
    }

    fn verdict(&self, broker: Option<i32>, asked: Instant, now: Instant) -> Option<Reason> {
        let fault = self.fault(broker)?;
        // A fault of this wait needs only settle; an older one may be over, so a new attempt is awaited.
        let until = if fault.since > asked { fault.since + SETTLING } else { asked + PATIENCE };
        (now >= until).then_some(fault.reason)
    }
}

/// The reason of an error, and whether it is certain. Brokers end connections that they do not like without a word.
fn cause(code: Code, text: &str) -> (Reason, bool) {
    match code.reason() {
        reason @ (Reason::AuthenticationFailed | Reason::TlsFailed) => (reason, true),
        _ if text.contains("SSL routines") || text.contains("in state SSL_HANDSHAKE") => (Reason::TlsFailed, true),
        // A port that speaks TLS, spoken to without.
        _ if ended_in("APIVERSION_QUERY", text) => (Reason::TlsFailed, false),
        _ if wants_login(text) => (Reason::AuthenticationFailed, false),
        _ => (Reason::Unreachable, false),
    }
}

/// What a person can do, by the words of librdkafka and OpenSSL: the bytes of a peer stay out of it.
fn advice(text: &str) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 6] = [
        ("Failed to resolve", "the host name is unknown; check the brokers' addresses and DNS"),
        (
            "Connection refused",
            "nothing listens at the brokers' addresses; check host and port, and whether Kafka runs",
        ),
        (
            "certificate verify failed",
            "the broker's certificate is refused; check that the CA is the one that signed it, and that it names the \
             host in the brokers' addresses",
        ),
        // What a broker answers to a client without a certificate, or with one that it does not take.
        ("alert bad certificate", "the brokers want a client certificate that they trust; give one, or another one"),
        ("certificate required", "the brokers want a client certificate; give one"),
        ("PLAINTEXT broker listener", "the port does not speak TLS; leave TLS out, or take the port that does"),
    ];
    if wants_login(text) {
        return Some("the brokers want a login; give mechanism, username and password, or a token endpoint");
    }
    if ended_in("APIVERSION_QUERY", text) {
        return Some("the port hangs up on a client without TLS; switch TLS on, or take another port");
    }
    KNOWN.into_iter().find(|(words, _)| text.contains(words)).map(|(_, advice)| advice)
}

/// A port that wants SASL hangs up on the first request.
fn wants_login(text: &str) -> bool {
    ended_in("UP", text) && !text.starts_with("sasl") && ended_at_once(text)
}

fn ended_in(state: &str, text: &str) -> bool {
    text.contains("Disconnected") && text.contains(&format!("in state {state}"))
}

/// Whether `(after Nms in state …` is less than two seconds.
fn ended_at_once(text: &str) -> bool {
    let after = text.rsplit_once("(after ").and_then(|(_, rest)| rest.split_once("ms"));
    after.and_then(|(ms, _)| ms.parse::<u32>().ok()).is_some_and(|ms| ms < 2000)
}

/// The broker id in `sasl_ssl://host:port/ID: …`; bootstrap addresses have none.
fn broker_of(text: &str) -> Option<i32> {
    text.split(": ").next()?.rsplit_once('/')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(ms: u64) -> Instant {
        Instant::now() + Duration::from_millis(ms)
    }

    #[test]
    fn the_broker_is_read_from_the_text() {
        assert_eq!(broker_of("sasl_ssl://kafka-2.kafka:9093/2: SASL authentication error"), Some(2));
        assert_eq!(broker_of("127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed"), Some(1));
        assert_eq!(broker_of("127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed"), None);
        assert_eq!(broker_of("GroupCoordinator: 127.0.0.1:9092: Disconnected"), None);
    }

    #[test]
    fn causes_are_read_from_the_way_in_which_a_connection_ends() {
        let said = |text| cause(Code::TRANSPORT, text).0;
        assert_eq!(said("a:1/1: Connect to ipv4#127.0.0.1:1 failed: Connection refused"), Reason::Unreachable);
        assert_eq!(said("ssl://a:1/1: Receive failed: error:0A000412:SSL routines::alert"), Reason::TlsFailed);
        assert_eq!(
            said("a:1/1: Disconnected: closed by peer (after 1ms in state APIVERSION_QUERY)"),
            Reason::TlsFailed
        );
        assert_eq!(said("a:1/1: Disconnected: closed by peer (after 1ms in state UP)"), Reason::AuthenticationFailed);
        assert_eq!(said("a:1/1: Disconnected: closed by peer (after 600000ms in state UP)"), Reason::Unreachable);
    }

    #[test]
    fn the_advice_is_that_of_the_reason_told() {
        let faults = Faults::default();
        faults.record(Code(-195), "a:1/1: Connect to ipv4#127.0.0.1:1 failed: Connection refused");
        assert!(faults.advice(Reason::Unreachable).unwrap().contains("nothing listens"));
        assert_eq!(faults.advice(Reason::TlsFailed), None);
        faults.record_no_token("the token endpoint answered 401".to_owned());
        assert!(faults.advice(Reason::AuthenticationFailed).unwrap().ends_with("401"));
    }

    #[test]
    fn one_dead_bootstrap_server_ends_nothing() {
        let faults = Faults::default();
        faults.record(Code(-195), "127.0.0.1:9/bootstrap: Connect failed");
        assert_eq!(faults.state().verdict(None, Instant::now(), after(60_000)), None);
        assert_eq!(faults.blame(None, Reason::Timeout), Reason::Timeout);
    }

    #[test]
    fn all_down_is_put_down_to_what_a_person_can_mend() {
        let faults = Faults::default();
        let asked = Instant::now();
        faults.record(Code(-169), "sasl_ssl://a:1/bootstrap: SASL authentication error");
        faults.record(Code(-195), "sasl_ssl://b:1/bootstrap: Connect failed");
        faults.record(Code::ALL_BROKERS_DOWN, "2/2 brokers are down");
        assert_eq!(faults.state().verdict(None, asked, Instant::now()), None, "it may be a race at the start");
        assert_eq!(faults.state().verdict(None, asked, after(400)), Some(Reason::AuthenticationFailed));
        assert_eq!(faults.blame(Some(1), Reason::Timeout), Reason::AuthenticationFailed);
        faults.refute(None);
        assert_eq!(faults.state().verdict(None, asked, after(60_000)), None);
    }

    #[test]
    fn an_old_fault_of_a_broker_leaves_time_for_a_new_attempt() {
        let faults = Faults::default();
        faults.record(Code(-195), "127.0.0.1:9092/2: Connect failed");
        let asked = after(10);
        assert_eq!(faults.state().verdict(Some(2), asked, asked + Duration::from_millis(1400)), None);
        assert_eq!(faults.state().verdict(Some(2), asked, asked + PATIENCE), Some(Reason::Unreachable));
        assert_eq!(faults.state().verdict(Some(1), asked, after(60_000)), None);
    }
}
