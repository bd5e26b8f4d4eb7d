//! The rows of a history in half the memory: three numbers a row, each as its 32-bit distance from a base.
//!
//! There are as many histories as partitions, of hundreds of rows each, and a sample reads few rows of few of them. A
//! base serves the rows after it until one of them is too far away, by 24 days or two billion records.

use std::marker::PhantomData;

/// A row that is three numbers.
pub trait Row: Copy {
    /// The numbers.
    fn numbers(self) -> [i64; 3];

    /// The row of these numbers.
    fn of(numbers: [i64; 3]) -> Self;
}

/// Rows in the order in which they were put.
#[derive(Clone)]
pub struct Packed<R> {
    bases: Vec<Base>,
    distances: Vec<[i32; 3]>,
    rows: PhantomData<R>,
}

/// What the rows from index `start` until the next base are told from.
#[derive(Debug, Clone, Copy)]
struct Base {
    start: usize,
    numbers: [i64; 3],
}

impl Base {
    /// How far a row is from here, unless it is too far.
    fn to(&self, row: impl Row) -> Option<[i32; 3]> {
        let mut distance = [0; 3];
        for ((distance, number), base) in distance.iter_mut().zip(row.numbers()).zip(self.numbers) {
            *distance = number.checked_sub(base)?.try_into().ok()?;
        }
        Some(distance)
    }

    fn at<R: Row>(&self, [a, b, c]: [i32; 3]) -> R {
        let [x, y, z] = self.numbers;
        R::of([x + i64::from(a), y + i64::from(b), z + i64::from(c)])
    }
}

impl<R: Row> Packed<R> {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.distances.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.distances.is_empty()
    }

    /// The row at an index, from 0.
    pub fn get(&self, index: usize) -> Option<R> {
        let distance = *self.distances.get(index)?;
        Some(self.bases.get(self.base_of(index))?.at(distance))
    }

    /// The first row.
    pub fn first(&self) -> Option<R> {
        self.get(0)
    }

    /// The last row.
    pub fn last(&self) -> Option<R> {
        Some(self.bases.last()?.at(*self.distances.last()?))
    }

    /// All rows, in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = R> {
        self.bases.iter().enumerate().flat_map(|(index, base)| {
            let end = self.bases.get(index + 1).map_or(self.len(), |next| next.start);
            self.distances.get(base.start..end).unwrap_or_default().iter().map(|distance| base.at(*distance))
        })
    }

    /// How many rows lead the others for which this holds, which are the first ones.
    pub fn partition_point(&self, holds: impl Fn(&R) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle) {
                Some(row) if holds(&row) => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    /// Puts a row behind the others.
    pub fn push(&mut self, row: R) {
        let distance = self.bases.last().and_then(|base| base.to(row)).unwrap_or_else(|| {
            self.bases.reserve_exact(1);
            self.bases.push(Base { start: self.distances.len(), numbers: row.numbers() });
            [0; 3]
        });
        self.make_room();
        self.distances.push(distance);
    }

    /// Takes the last row away.
    pub fn pop(&mut self) -> Option<R> {
        let last = self.last();
        self.truncate(self.len().saturating_sub(1));
        last
    }

    /// Keeps the first rows, so many.
    pub fn truncate(&mut self, len: usize) {
        self.distances.truncate(len);
        self.bases.retain(|base| base.start < len);
    }

    /// Changes the last row, if there is one.
    pub fn change_last(&mut self, change: impl FnOnce(R) -> R) {
        if let Some(last) = self.last() {
            self.set(self.len() - 1, change(last));
        }
    }

    /// Changes the row at an index, from 0; without one there, nothing.
    pub fn set(&mut self, index: usize, row: R) {
        let base = self.base_of(index);
        match (self.distances.get_mut(index), self.bases.get(base).and_then(|base| base.to(row))) {
            (None, _) => {}
            (Some(place), Some(distance)) => *place = distance,
            (Some(_), None) => {
                let rows = self.iter().enumerate().map(|(i, known)| if i == index { row } else { known });
                *self = rows.collect();
            }
        }
    }

    /// Puts a row before the one at an index, from 0 to the number of rows.
    pub fn insert(&mut self, index: usize, row: R) {
        if index >= self.len() {
            return self.push(row);
        }
        let base = self.base_of(index);
        if let Some(distance) = self.bases.get(base).and_then(|base| base.to(row)) {
            self.make_room();
            self.distances.insert(index, distance);
            self.bases.iter_mut().skip(base + 1).for_each(|base| base.start += 1);
        } else {
            let mut rows: Vec<R> = self.iter().collect();
            rows.insert(index, row);
            *self = rows.into_iter().collect();
        }
    }

    /// Keeps the rows for which this holds.
    pub fn retain(&mut self, holds: impl Fn(&R) -> bool) {
        if !self.iter().all(|row| holds(&row)) {
            *self = self.iter().filter(holds).collect();
        }
    }

    /// Changes every row.
    pub fn change(&mut self, change: impl FnMut(R) -> R) {
        *self = self.iter().map(change).collect();
    }

    /// Which base the row at an index is told from.
    fn base_of(&self, index: usize) -> usize {
        self.bases.partition_point(|base| base.start <= index).saturating_sub(1)
    }

    /// Room for one row more and a few: there are many histories, so what each keeps free counts.
    fn make_room(&mut self) {
        if self.distances.len() == self.distances.capacity() {
            self.distances.reserve_exact(self.distances.len() / 16 + 4);
        }
    }
}

impl<R: Row> Extend<R> for Packed<R> {
    fn extend<I: IntoIterator<Item = R>>(&mut self, rows: I) {
        rows.into_iter().for_each(|row| self.push(row));
    }
}

impl<R: Row> FromIterator<R> for Packed<R> {
    /// Without room for more.
    fn from_iter<I: IntoIterator<Item = R>>(rows: I) -> Self {
        let rows = rows.into_iter();
        let mut packed = Self { distances: Vec::with_capacity(rows.size_hint().0), ..Self::default() };
        packed.extend(rows);
        packed.distances.shrink_to_fit();
        packed
    }
}

impl<R> Default for Packed<R> {
    fn default() -> Self {
        Self { bases: Vec::new(), distances: Vec::new(), rows: PhantomData }
    }
}

impl<R: Row + PartialEq> PartialEq for Packed<R> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<R: Row + std::fmt::Debug> std::fmt::Debug for Packed<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::lag::history::Run;

    fn number() -> impl Strategy<Value = i64> {
        let edge = i64::from(i32::MAX);
        prop_oneof![4 => 0..1_000_i64, 2 => -edge - 3..edge + 3, 1 => 0..1_700_000_000_000_i64, 1 => any::<i64>()]
    }

    fn run() -> impl Strategy<Value = Run> {
        (number(), number(), number()).prop_map(|(first, last, offset)| Run { first, last, offset })
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Push(Run),
        Pop,
        Truncate(prop::sample::Index),
        Set(prop::sample::Index, Run),
        Insert(prop::sample::Index, Run),
        Retain(i64),
        Change(i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        use Step::{Change, Insert, Pop, Push, Retain, Set, Truncate};
        let index = any::<prop::sample::Index>;
        prop_oneof![
            8 => run().prop_map(Push),
            1 => Just(Pop),
            1 => index().prop_map(Truncate),
            2 => (index(), run()).prop_map(|(index, run)| Set(index, run)),
            4 => (index(), run()).prop_map(|(index, run)| Insert(index, run)),
            1 => number().prop_map(Retain),
            1 => number().prop_map(Change),
        ]
    }

    fn take(step: Step, packed: &mut Packed<Run>, plain: &mut Vec<Run>) {
        let index = |index: prop::sample::Index, len| if len == 0 { 0 } else { index.index(len) };
        match step {
            Step::Push(run) => (packed.push(run), plain.push(run)).0,
            Step::Pop => assert_eq!(packed.pop(), plain.pop()),
            Step::Truncate(at) => {
                let len = index(at, plain.len());
                (packed.truncate(len), plain.truncate(len)).0
            }
            Step::Set(at, run) => {
                let at = index(at, plain.len());
                packed.set(at, run);
                if let Some(place) = plain.get_mut(at) {
                    *place = run;
                }
            }
            Step::Insert(at, run) => {
                let at = index(at, plain.len() + 1);
                (packed.insert(at, run), plain.insert(at, run)).0
            }
            Step::Retain(above) => {
                packed.retain(|run| run.offset > above);
                plain.retain(|run| run.offset > above);
            }
            Step::Change(by) => {
                let change = |run: Run| Run { first: run.first.wrapping_add(by), ..run };
                packed.change(change);
                plain.iter_mut().for_each(|run| *run = change(*run));
            }
        }
    }

    proptest! {
        #[test]
        fn packed_rows_are_what_plain_rows_are(steps in vec(step(), 0..60)) {
            let (mut packed, mut plain) = (Packed::default(), Vec::new());
            for step in steps {
                take(step, &mut packed, &mut plain);
                prop_assert_eq!(packed.iter().collect::<Vec<_>>(), plain.clone());
                prop_assert_eq!(packed.iter().rev().collect::<Vec<_>>(), plain.iter().rev().copied().collect::<Vec<_>>());
                prop_assert_eq!((packed.len(), packed.is_empty()), (plain.len(), plain.is_empty()));
                prop_assert_eq!((packed.first(), packed.last()), (plain.first().copied(), plain.last().copied()));
                for index in 0..=plain.len() {
                    prop_assert_eq!(packed.get(index), plain.get(index).copied());
                }
                prop_assert_eq!(&packed, &plain.iter().copied().collect::<Packed<_>>());
            }
        }

        #[test]
        fn a_row_is_found_by_its_offset(mut offsets in vec(number(), 0..60), sought in number()) {
            offsets.sort_unstable();
            let runs = offsets.iter().map(|offset| Run { first: 0, last: 0, offset: *offset });
            let packed: Packed<Run> = runs.collect();
            let expected = offsets.partition_point(|offset| *offset <= sought);
            prop_assert_eq!(packed.partition_point(|run| run.offset <= sought), expected);
        }
    }

    #[test]
    fn a_week_of_rows_takes_half_the_memory() {
        let runs = (0..600).map(|n| Run { first: n * 900_000, last: n * 900_000 + 60_000, offset: n * 3_000_000 });
        let packed: Packed<Run> = runs.collect();
        let bytes = packed.distances.capacity() * size_of::<[i32; 3]>() + packed.bases.capacity() * size_of::<Base>();
        assert_eq!(bytes, 600 * 12 + 32);
    }
}
