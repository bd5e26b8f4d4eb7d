//! The word that JSON has for a value of a closed list, so that tables and labels say the same.

use serde::Serialize;

/// The word of an enum's variant as the report spells it, `ONLINE` or `caught_up`.
pub(crate) fn word<T: Serialize>(variant: T) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(word)) => word,
        other => {
            debug_assert!(false, "not a plain variant: {other:?}");
            String::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lag::reason::Reason;
    use crate::lag::report::{Method, State};

    #[test]
    fn words_are_those_of_the_report() {
        assert_eq!(word(State::Offline), "OFFLINE");
        assert_eq!(word(Method::CaughtUp), "caught_up");
        assert_eq!(word(Reason::TlsFailed), "TlsFailed");
    }
}
