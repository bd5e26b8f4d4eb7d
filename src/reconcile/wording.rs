//! Sentences for status and events: names without control characters, lists and texts that stay short.

use crate::output::table::printable;

/// Names that a list writes out; the others are counted.
const WRITTEN_OUT: usize = 3;

/// The most bytes of one name in a list. Kafka's own limit for topics is 249 characters; group ids have none.
const LONGEST_NAME: usize = 249;

/// The text without control characters, cut to at most `most` bytes, with `…` where something was cut off.
pub(super) fn short(text: &str, most: usize) -> String {
    let mut shown = printable(text);
    if shown.len() > most {
        let room = most.saturating_sub('…'.len_utf8());
        shown.truncate((0..=room).rev().find(|end| shown.is_char_boundary(*end)).unwrap_or(0));
        shown.push('…');
    }
    shown
}

/// `a, b, c and 9 more`.
pub(super) fn listed(names: &[impl AsRef<str>]) -> String {
    let shown: Vec<String> = names.iter().take(WRITTEN_OUT).map(|name| short(name.as_ref(), LONGEST_NAME)).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `1 group`, `2 groups`.
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A share from 0 to 1 in whole percent, rounded down: 100 is everything.
pub(super) fn whole_percent(share: f64) -> u32 {
    // A share that is a whole percent is not always one in binary: 0.29 × 100 is a little less than 29.
    (share * 100.0 + 1e-9).floor() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        for (text, most, expected) in [
            ("orders", 6, "orders"),
            ("orders", 5, "or…"),
            ("é".repeat(4).as_str(), 8, "éééé"),
            ("é".repeat(5).as_str(), 8, "éé…"),
            ("a\nb\u{1b}[31m", 99, "a\\nb\\u{1b}[31m"),
            ("\n\n\n", 5, "\\n…"),
        ] {
            assert_eq!(short(text, most), expected, "{text:?}");
            assert!(short(text, most).len() <= most);
        }
    }

    #[test]
    fn a_list_names_three_and_counts_the_others() {
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b", "c"]), "a, b, c");
        assert_eq!(listed(&["a", "b", "c", "d"]), "a, b, c and 1 more");
        assert!(listed(&["x".repeat(9_999).as_str(); 50]).len() < 800);
        assert_eq!((counted(1, "group"), counted(12, "group")), ("1 group".into(), "12 groups".into()));
    }

    #[test]
    fn a_share_is_rounded_down_to_whole_percent() {
        for (share, percent) in [(0.0, 0), (0.29, 29), (0.57, 57), (0.999_999, 99), (1.0, 100), (0.009, 0)] {
            assert_eq!(whole_percent(share), percent, "{share}");
        }
        for came in 0..=100_u32 {
            assert_eq!(whole_percent(f64::from(came) / 100.0), came);
        }
    }
}
