//! One page of a list: sorted, from where the page before ended.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::Serialize;

use super::query::{Cursor, Field, Limit, Sort};

/// One page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub(super) struct Page<T> {
    /// The items of this page.
    pub(super) items: Vec<T>,
    /// How many items all pages have together.
    pub(super) total: usize,
    /// The `cursor` that gives the next page, with the same `sort` and filters; `null` on the last one.
    pub(super) next_cursor: Option<String>,
}

/// What an item is sorted by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    /// The name alone.
    Name,
    /// A figure; unknown comes last in either direction.
    Number(Option<f64>),
}

/// Rows in the order of one sort, each with its place.
pub(super) type Sorted<R> = Vec<(Cursor, R)>;

/// The rows in the order that is asked for. `key` and `name` say where a row stands; no two rows have the same name.
pub(super) fn sorted<F: Field, R>(
    rows: impl Iterator<Item = R>,
    sort: Sort<F>,
    key: impl Fn(&R, F) -> Key,
    name: impl Fn(&R, F) -> Vec<u8>,
) -> Sorted<R> {
    let place = |row: R| {
        let number = match key(&row, sort.field) {
            Key::Name => 0,
            Key::Number(None) => u64::MAX,
            Key::Number(Some(number)) => ordered(number, sort.descending),
        };
        (Cursor { number, name: name(&row, sort.field) }, row)
    };
    let mut placed: Sorted<R> = rows.map(place).collect();
    placed.sort_unstable_by(|a, b| compare(sort, &a.0, &b.0));
    placed
}

/// Which of two places comes first. Where only names count, all numbers are 0; where numbers do, none is.
fn compare<F: Field>(sort: Sort<F>, a: &Cursor, b: &Cursor) -> Ordering {
    let by_name = a.number == 0 && b.number == 0;
    let names = a.name.cmp(&b.name);
    a.number.cmp(&b.number).then(if by_name && sort.descending { names.reverse() } else { names })
}

/// The page that is asked for of the rows that are wanted, which stand in the order of the sort.
pub(super) fn page_of<F: Field, R: Copy, T>(
    sorted: &[(Cursor, R)],
    sort: Sort<F>,
    (limit, cursor): (Limit, Option<&Cursor>),
    want: impl Fn(R) -> bool,
    show: impl Fn(R) -> T,
) -> Page<T> {
    let start = cursor.map_or(0, |cursor| sorted.partition_point(|(place, _)| compare(sort, place, cursor).is_le()));
    let (mut total, mut items, mut last) = (0, Vec::new(), None);
    let mut more = false;
    for (at, (place, row)) in sorted.iter().enumerate().filter(|(_, (_, row))| want(*row)) {
        total += 1;
        if at < start {
            continue;
        }
        if items.len() < limit.0 {
            items.push(show(*row));
            last = Some(place);
        } else {
            more = true;
        }
    }
    Page { items, total, next_cursor: last.filter(|_| more).map(ToString::to_string) }
}

/// The page of `rows` that is asked for, which are in no order yet.
pub(super) fn page<F: Field, R: Copy, T>(
    rows: Vec<R>,
    sort: Sort<F>,
    range: (Limit, Option<&Cursor>),
    key: impl Fn(&R, F) -> Key,
    name: impl Fn(&R, F) -> Vec<u8>,
    show: impl Fn(R) -> T,
) -> Page<T> {
    page_of(&sorted(rows.into_iter(), sort, key, name), sort, range, |_| true, show)
}

/// The number as one whose order is that of unsigned whole numbers, above 0 and below the greatest.
fn ordered(number: f64, descending: bool) -> u64 {
    let bits = number.to_bits();
    let ascending = if bits >> 63 == 0 { bits | 1 << 63 } else { !bits };
    if descending { !ascending } else { ascending }.clamp(1, u64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, Default)]
    enum By {
        #[default]
        Name,
        Age,
    }

    impl Field for By {
        const NAMES: &'static [(&'static str, Self)] = &[("name", Self::Name), ("age", Self::Age)];
    }

    const ROWS: [(&str, Option<f64>); 6] =
        [("c", Some(2.0)), ("a", None), ("d", Some(-1.0)), ("b", Some(2.0)), ("f", Some(0.0)), ("e", None)];

    fn pages(sort: Sort<By>, limit: usize) -> Vec<String> {
        let (mut found, mut cursor) = (Vec::new(), None::<Cursor>);
        loop {
            let key = |row: &(&str, Option<f64>), by| match by {
                By::Name => Key::Name,
                By::Age => Key::Number(row.1),
            };
            let name = |row: &(&str, Option<f64>), _| row.0.as_bytes().to_vec();
            let page = page(ROWS.to_vec(), sort, (Limit(limit), cursor.as_ref()), key, name, |row| row.0);
            assert_eq!(page.total, ROWS.len());
            assert!(page.items.len() == limit || page.next_cursor.is_none());
            found.push(page.items.concat());
            let Some(next) = page.next_cursor else { return found };
            cursor = Some(next.parse().unwrap());
        }
    }

    #[test]
    fn pages_of_any_size_make_up_the_list_and_unknown_comes_last() {
        for (field, descending, all) in [
            (By::Name, false, "abcdef"),
            (By::Name, true, "fedcba"),
            (By::Age, false, "dfbcae"),
            (By::Age, true, "bcfdae"),
        ] {
            for limit in 1..=7 {
                let pages = pages(Sort { field, descending }, limit);
                assert_eq!((pages.concat().as_str(), pages.len()), (all, 6_usize.div_ceil(limit)), "{field:?}");
            }
        }
    }

    #[test]
    fn a_cursor_is_a_place_even_when_the_row_is_gone() {
        let cursor = Cursor { number: 0, name: b"bb".to_vec() };
        let key = |_: &&str, _: By| Key::Name;
        let name = |row: &&str, _: By| row.as_bytes().to_vec();
        let page = page(vec!["a", "b", "c"], Sort::default(), (Limit(9), Some(&cursor)), key, name, |row| row);
        assert_eq!(page.items, ["c"]);
    }
}
